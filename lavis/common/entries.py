"""Every name that this package registers, with the place of its class: one line each.

A class is imported when its name is first asked for, so this table makes every list complete
without importing a model. A name of your own comes from a decorator of
:class:`lavis.common.registry.Registry` or from the entry-point group ``lavis.entries``.
"""

from __future__ import annotations

ENTRIES: dict[str, dict[str, str]] = {
    "builder": {
        "sqa3d": "lavis.datasets.builders.sqa3d_builder:SQA3DBuilder",
    },
    "sample": {
        "sqa3d": "lavis.datasets.sample:build_sample",
    },
    "task": {
        "mexa_qa": "lavis.tasks.mexa_qa:MexaQATask",
    },
    "processor": {
        "base": "lavis.processors.base_processor:BaseProcessor",
        "blip_question": "lavis.processors.text_processors:BlipQuestionProcessor",
        "blip_caption": "lavis.processors.text_processors:BlipCaptionProcessor",
        "blip_image_eval": "lavis.processors.frame_processors:FramesEvalProcessor",
        "blip2_image_train": "lavis.processors.frame_processors:FramesTrainProcessor",
        "blip_frames_eval": "lavis.processors.frame_processors:FramesEvalProcessor",
        "blip2_frames_train": "lavis.processors.frame_processors:FramesTrainProcessor",
        "blip_video_eval": "lavis.processors.frame_processors:VideoEvalProcessor",
        "blip2_video_train": "lavis.processors.frame_processors:VideoTrainProcessor",
    },
    "model": {
        "mexa_aggregator": "lavis.models.mexa_models.mexa_aggregator:MexaAggregator",
    },
    "lr_scheduler": {
        "linear_warmup_step_lr": "lavis.common.optims:LinearWarmupStepLRScheduler",
        "linear_warmup_cosine_lr": "lavis.common.optims:LinearWarmupCosineLRScheduler",
        "constant_lr": "lavis.common.optims:ConstantLRScheduler",
    },
    "runner": {
        "runner_base": "lavis.runners.runner_base:RunnerBase",
        "runner_iter": "lavis.runners.runner_iter:RunnerIter",
        "runner_qa": "lavis.runners.runner_qa:RunnerQA",
    },
    "loader": {
        "frame": "lavis.datasets.loaders.frames:FramesLoader",
        "video": "lavis.datasets.loaders.video:VideoLoader",
        "depth": "lavis.datasets.loaders.depth:DepthLoader",
        "flow": "lavis.datasets.loaders.flow:FlowLoader",
        "norm": "lavis.datasets.loaders.normals:NormalsLoader",
        "pc": "lavis.datasets.loaders.point_cloud:PointCloudLoader",
        "instances": "lavis.datasets.loaders.instances:InstancesLoader",
        "captions": "lavis.datasets.loaders.captions:CaptionsLoader",
    },
    "expert": {
        "frames": "lavis.experts.frames:FramesExpert",
        "depth": "lavis.experts.depth:DepthExpert",
        "flow": "lavis.experts.flow:FlowExpert",
        "normals": "lavis.experts.normals:NormalsExpert",
        "scene3d": "lavis.experts.scene3d:Scene3DExpert",
        "captions": "lavis.experts.captions:CaptionsExpert",
    },
    "selector": {
        "rules": "lavis.models.mexa_models.selectors:RulesSelector",
        "llm": "lavis.models.mexa_models.selectors:LLMSelector",
        "all": "lavis.models.mexa_models.selectors:AllSelector",
        "none": "lavis.models.mexa_models.selectors:NoneSelector",
        "fixed": "lavis.models.mexa_models.selectors:FixedSelector",
    },
    "reasoner": {
        "embedded": "lavis.reasoners.embedded:EmbeddedReasoner",
        "openai": "lavis.reasoners.openai_compatible:OpenAIReasoner",
        "transformers": "lavis.reasoners.transformers_chat:TransformersReasoner",
        "scripted": "lavis.reasoners.scripted:ScriptedReasoner",
    },
    "filter": {
        "exact_option": "lavis.models.mexa_models.answers:exact_option",
        "option_letter": "lavis.models.mexa_models.answers:option_letter",
        "number": "lavis.models.mexa_models.answers:number",
        "short_phrase": "lavis.models.mexa_models.answers:short_phrase",
    },
    "metric": {
        "exact_match": "lavis.tasks.metrics.sqa3d:EXACT_MATCH",
        "em_refined": "lavis.tasks.metrics.sqa3d:EM_REFINED",
        "mexa_em": "lavis.tasks.metrics.sqa3d:MEXA_EM",
        "mexa_refined": "lavis.tasks.metrics.sqa3d:MEXA_REFINED",
        "official_llm": "lavis.tasks.metrics.sqa3d:OFFICIAL_LLM",
        "crema_substring": "lavis.tasks.metrics.sqa3d:CREMA_SUBSTRING",
    },
}
