"""Torch's optimizers without its compiler, whose import takes most of a second of every start."""

import inspect
from collections.abc import Callable
from typing import Any, TypeVar

import torch
from torch.optim import Optimizer

Kind = TypeVar("Kind", bound=Optimizer)
CALLED_THROUGH_THE_COMPILER = ("add_param_group", "zero_grad", "state_dict", "load_state_dict")


def eager(kind: type[Kind]) -> type[Kind]:
    """Return an optimizer that steps as `kind` does, bit for bit, and never imports `torch._dynamo`.

    Torch makes its compiler skip optimizers, and imports it for that even where nothing is compiled.
    What a version of torch does otherwise than known here is left as it is: then the import takes its time.
    """
    for name in CALLED_THROUGH_THE_COMPILER:
        method = inspect.unwrap(getattr(Optimizer, name))
        if not hasattr(method, "__dynamo_disable"):
            setattr(method, "__dynamo_disable", method)  # where torch keeps what its compiler made of the method
    step = inspect.unwrap(kind.step)

    class Eager(kind):  # type: ignore[misc, valid-type]  # a class by value
        def step(self, closure: Callable[[], float] | None = None) -> Any:
            with torch.no_grad():
                return step(self, closure)

    Eager.__name__ = Eager.__qualname__ = kind.__name__
    return Eager
