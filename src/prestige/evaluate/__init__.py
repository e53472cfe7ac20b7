"""Predictions -> scores and moments, from arrays (``scores.py``) or from files (``files.py``)."""

from prestige.evaluate.files import FileEvaluation, evaluate_files
from prestige.evaluate.scores import Evaluation, evaluate

__all__ = ["Evaluation", "FileEvaluation", "evaluate", "evaluate_files"]
