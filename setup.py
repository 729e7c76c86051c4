"""The distribution: this fork is salesforce-lavis, so a project that requires it is satisfied."""

from pathlib import Path

from setuptools import find_packages, setup

HERE = Path(__file__).parent

setup(
    name="salesforce-lavis",
    version="2.0.0.dev0",
    description="MEXA in LAVIS: experts turn media into text, a large reasoning model answers from it",
    long_description=(HERE / "README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    license="BSD-3-Clause",
    python_requires=">=3.10",
    packages=find_packages(include=["lavis", "lavis.*"]),
    package_data={
        "lavis": ["configs/**/*.yaml", "configs/*.yaml", "weights.yaml", "datasets/sample/README.md", "py.typed"]
    },
    install_requires=["numpy>=1.26", "omegaconf>=2.3", "pillow>=10", "PyYAML>=6", "torch>=2.4"],
    extras_require={
        "vision": ["opencv-python-headless>=4.8,<5", "av>=17", "decord>=0.6; platform_machine == 'x86_64'"],
        "embedded": ["xllamacpp>=2026.10"],
        "openai": ["openai[aiohttp]>=3.50,<4", "jsonschema>=4.20"],
        "models": ["transformers>=4.57,<6", "einops>=0.7", "sentencepiece>=0.2", "protobuf>=5", "safetensors>=0.4"],
        "data": ["webdataset>=0.2.86", "braceexpand>=0.1.7"],
        "media": ["av>=17", "nibabel>=5.2", "pypdfium2>=5", "openpyxl>=3.1"],
        "experts": [
            "rapidocr>=3.10,<4",
            "onnxruntime>=1.20",
            "faster-whisper>=1.2",
            "ai-edge-litert>=2.1",
            "tokenizers>=0.20",
        ],
        "test": ["pytest>=8", "hypothesis>=6", "psutil>=6", "ruff", "mypy", "types-PyYAML", "pre-commit"],
    },
    entry_points={"console_scripts": ["lavis = lavis.cli.main:main"]},
)
