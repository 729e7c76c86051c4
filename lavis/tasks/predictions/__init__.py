"""Answers on disk, of a run or of another system: read, matched with their gold and scored."""

from lavis.tasks.predictions.delta import delta_scores
from lavis.tasks.predictions.prediction import Prediction, RowSet
from lavis.tasks.predictions.reading import dataset_class, read_rows
from lavis.tasks.predictions.scoring import Scores, score_rows

__all__ = ["Prediction", "RowSet", "Scores", "dataset_class", "delta_scores", "read_rows", "score_rows"]
