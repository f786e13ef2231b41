"""Where the time of a step goes, by torch's profiler: a table and a bar chart."""

import argparse
from collections.abc import Iterator, Mapping
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont
from torch.profiler import ProfilerActivity, profile

from scripts.benchmarks import ours
from scripts.benchmarks.table import Column, Row, Table
from scripts.tables.figure import COLOURS, TEXT

KINDS: Mapping[str, tuple[str, ...]] = {
    "convolutions": ("mkldnn_convolution", "_convolution", "cudnn_convolution", "convolution_", "conv_depthwise"),
    "matrix products": ("mm", "addmm", "bmm", "baddbmm", "dot", "mv", "addmv"),
    "sums of patches": ("col2im", "im2col"),
    "batch norm": ("native_batch_norm", "cudnn_batch_norm", "batch_norm"),
    "activations": ("leaky_relu", "clamp_min", "threshold", "relu", "tanh", "sigmoid", "elu", "gelu", "silu"),
    "optimizers and average": ("Optimizer.", "_foreach", "_fused_adam", "lerp", "addcdiv", "addcmul", "sqrt"),
    "copies and casts": ("copy_", "_to_copy", "fill_", "zero_", "clone", "cat", "index"),
}
"""Kinds of work, and how the operators that do it begin, without `aten::`; the first kind that fits counts."""
REST = "the rest"
STEPS = 8
WIDTH, BAR, GAP, LEFT = 880, 34, 22, 190


def kind_of(operator: str) -> str:
    """Return the kind of work that an operator does."""
    name = operator.removeprefix("aten::")
    return next((kind for kind, begins in KINDS.items() if name.startswith(begins)), REST)


def shares(step: ours.Step, cuda: bool) -> dict[str, float]:
    """Return the ms of a step of each kind of work, after as many steps that do not count."""
    for _ in range(STEPS):
        step()
    with profile(activities=[ProfilerActivity.CPU, *[ProfilerActivity.CUDA] * cuda]) as found:
        for _ in range(STEPS):
            step()
    spent = dict.fromkeys((*KINDS, REST), 0.0)
    for event in found.key_averages():
        if event.device_type.name != "CPU":
            continue  # a kernel, whose time its operator has, too
        own = event.self_device_time_total if cuda else event.self_cpu_time_total
        spent[kind_of(event.key)] += own / 1e3 / STEPS
    return spent


def rows(options: argparse.Namespace) -> Iterator[Row]:
    """Profile each case in each mode, and draw what was found."""
    bars: dict[str, dict[str, float]] = {}
    for case, mode, config, device, store in ours.each(options):
        spent = shares(ours.bare(ours.without_graphs(config), device, store), device.torch_device.type == "cuda")
        whole = sum(spent.values())
        bars[f"{case.name}, {mode}"] = spent
        for kind, milliseconds in spent.items():
            yield {
                "case": case.name,
                "mode": mode,
                "kind": kind,
                "milliseconds": milliseconds,
                "share": milliseconds / whole,
            }
    if options.picture:
        draw(bars, Path(options.picture))


def draw(bars: Mapping[str, Mapping[str, float]], path: Path) -> None:
    """Write a bar of each step as PNG, as long as it takes, with the kinds of work in colours and a legend."""
    font = ImageFont.load_default(13)
    longest = max(sum(spent.values()) for spent in bars.values())
    legend = len(bars) * (BAR + GAP) + GAP
    image = Image.new("RGB", (WIDTH, legend + 2 * GAP + 10), "white")
    pen = ImageDraw.Draw(image)
    for place, (name, spent) in enumerate(bars.items()):
        left, top = float(LEFT), GAP / 2 + place * (BAR + GAP)
        pen.text((8, top + BAR / 2), name.replace("×", "x"), TEXT, font, anchor="lm")  # the font has no ×
        for colour, milliseconds in zip(COLOURS, spent.values(), strict=True):
            right = left + milliseconds / longest * (WIDTH - LEFT - 80)
            pen.rectangle((left, top, right, top + BAR), colour)
            left = right
        pen.text((left + 8, top + BAR / 2), f"{sum(spent.values()):.0f} ms", TEXT, font, anchor="lm")
    for place, (kind, colour) in enumerate(zip((*KINDS, REST), COLOURS, strict=True)):
        left, top = 8 + place % 4 * 215, legend + place // 4 * GAP
        pen.rectangle((left, top, left + 12, top + 12), colour)
        pen.text((left + 18, top + 6), kind, TEXT, font, anchor="lm")
    image.save(path)


TABLE = Table(
    "profile",
    "where the time of a step goes, as torch's profiler tells it, which slows the step",
    (
        Column("case", "work", right=False),
        Column("mode", "mode", right=False),
        Column("kind", "what", right=False),
        Column("milliseconds", "a step", "{:.1f} ms"),
        Column("share", "share", "{:.1%}"),
    ),
    rows,
)
