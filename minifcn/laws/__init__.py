"""Laws: what is true of every operator, stated once and run anywhere."""

from .gradcheck import Coverage, GradientError, check_gradients, check_module

__all__ = ["Coverage", "GradientError", "check_gradients", "check_module"]
