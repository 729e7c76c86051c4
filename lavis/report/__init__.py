"""The report of a run: pages that a person reads."""

from lavis.report.pages import write_report

__all__ = ["write_report"]
