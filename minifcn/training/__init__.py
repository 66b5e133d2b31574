"""Training: recipes, the loop, checkpoints, and what a trained net predicts."""

from minifcn.training.checkpoint import Checkpoint, CheckpointError
from minifcn.training.evaluation import evaluate, predict, predictions
from minifcn.training.loop import Trainer, TrainingFailed, TrainingStopped
from minifcn.training.recipe import Recipe
from minifcn.training.setup import resume, start

__all__ = [
    "Checkpoint",
    "CheckpointError",
    "Recipe",
    "Trainer",
    "TrainingFailed",
    "TrainingStopped",
    "evaluate",
    "predict",
    "predictions",
    "resume",
    "start",
]
