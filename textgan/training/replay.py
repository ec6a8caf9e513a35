"""A critic step as a CUDA graph: its thousands of kernels are started at once, not one by one by Python."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import torch
from torch.nn.utils import get_total_norm

from textgan.game.steps import Step
from textgan.transfers import Draws

Play = Callable[[torch.Generator], Step]
"""A step that takes all that is random from a generator, by `drawn`, and changes nothing."""

Capture = Callable[[Callable[[], Step]], tuple[Callable[[], None], Step]]
"""A step without arguments to what runs it again, and the tensors that it then fills."""

WARM = 3  # calls before a capture, in which libraries choose their kernels and take their memory
TOLERANCE = 1e-3  # of the gradients' norm; on a GPU sums may be added up in another order each time


def graphed(play: Play, device: torch.device, note: Callable[[str], None]) -> Play:
    """Return a step as a CUDA graph, or, after a note, as it is where it cannot be one.

    Args:
        play: waits nowhere for the device, has the same shapes each time, and reads weights that change in place only.
        device: a CUDA device.
        note: is told, in one line, why there is no graph.
    """
    try:
        return replayed(play, partial(as_graph, device))
    except RuntimeError as error:  # of CUDA, of its allocator and of torch alike
        reason = str(error).partition("\n")[0]
        note(f"no CUDA graph of the critic's step, which is slower without but the same: {reason}")
        return play


def replayed(play: Play, capture: Capture) -> Play:
    """Capture a step, and return what refills all that it draws and runs the capture.

    What it returns overwrites the tensors of the call before. It is compared first with the step itself.

    Raises:
        RuntimeError: the step cannot be captured, or its replay draws or computes something else.
    """
    draws = Draws()
    play(draws)
    run, step = capture(lambda: play(draws.rewind()))

    def replay(rng: torch.Generator) -> Step:
        draws.refill(rng)
        run()
        return step

    compare(play, replay)
    return replay


def compare(play: Play, replay: Play) -> None:
    """Compare a step with its replay, on numbers that the capture has not seen.

    Raises:
        RuntimeError: the replay draws or computes something else.
    """
    one, other = torch.Generator().manual_seed(1), torch.Generator().manual_seed(1)
    expected, found = play(one), replay(other)
    if not torch.equal(one.get_state(), other.get_state()):
        raise RuntimeError("the replay draws other numbers than the step")
    for tensors, others in ((expected.gradients, found.gradients), (expected.losses.values(), found.losses.values())):
        error = [a - b for a, b in zip(tensors, others, strict=True)]
        if not get_total_norm(error) <= TOLERANCE * get_total_norm(tensors):
            raise RuntimeError("the replay computes something else than the step")


def as_graph(device: torch.device, function: Callable[[], Step]) -> tuple[Callable[[], None], Step]:
    """Capture a step as a CUDA graph, which keeps for itself the memory that the step needs.

    Source: torch's notes on CUDA graphs, "whole-network capture": warmed up on a stream of its own.
    """
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.device(device):
        before, stream = torch.cuda.current_stream(), torch.cuda.Stream()  # type: ignore[no-untyped-call]
        stream.wait_stream(before)
        with torch.cuda.stream(stream):  # which `graph` would not leave if it failed
            for _ in range(WARM):
                function()
            with torch.cuda.graph(graph, stream=stream):
                step = function()
        before.wait_stream(stream)
    return graph.replay, step
