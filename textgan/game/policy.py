"""The policy gradient: what trains a generator by drawn symbols, which have no gradient of their own."""

from __future__ import annotations

import torch
from torch import Tensor

from textgan.contract import State, Term, TermBatch
from textgan.ranks import mean


def surrogate(logits: Tensor, ids: Tensor, advantages: Tensor) -> Tensor:
    """-(1 / N) Σ_i Σ_t A_it log p(x_it), whose gradient is that of the expected reward, negated.

    Args:
        logits: (batch, position, symbol).
        ids: the drawn symbols, (batch, position) int64.
        advantages: rewards less a baseline, held fixed, (batch, position) or (batch, 1).

    Source: Williams 1992, eq. 11; at the level of symbols as de Masson d'Autume et al. 2019 (ScratchGAN), eq. 3.
    """
    chosen = logits.log_softmax(-1).gather(-1, ids.unsqueeze(-1)).squeeze(-1)
    return -(advantages.detach() * chosen).sum(1).mean()


def returns(rewards: Tensor, positions: int, discount: float) -> Tensor:
    """What each position is paid: (1 / L) Σ_{s >= t} discount^(s-t) r_s; of rewards (batch, 1), each whole reward.

    A position is paid for what comes after it alone: right where the reward at s depends on symbols up to s only. With
    a discount of 1 the surrogate's gradient is then that of the mean reward.

    Args:
        rewards: (batch, position) or (batch, 1).
        positions: L.
        discount: 0..1. [ratio]

    Returns:
        (batch, position).

    Source: de Masson d'Autume et al. 2019 (ScratchGAN), eq. 2, over L.
    """
    if rewards.shape[1] == 1:
        return rewards.expand(-1, positions)
    paid, steps = torch.zeros_like(rewards[:, 0]), list[Tensor]()
    for reward in rewards.flip(1).unbind(1):
        paid = reward + discount * paid
        steps.append(paid)
    return torch.stack(steps, dim=1).flip(1) / positions


def policy_gradient(
    *,
    length: int,
    discount: float,
    decay: float,
    device: torch.device | str = "cpu",
) -> Term:
    """Build the policy gradient of the critic's rewards, with a moving baseline a position, as a generator term.

    Args:
        length: positions of a sample.
        discount: of a later position's reward; for critics that score every position. [ratio]
        decay: what a step leaves of the baseline, the mean return at a position. [ratio]
        device: where the baseline is kept.

    Source: Williams 1992, reinforcement with a reward baseline; the baseline of ScratchGAN is one number.
    """

    def term(batch: TermBatch, state: State, *, rng: torch.Generator) -> tuple[Tensor, State]:
        assert batch.rewards is not None, "no critic gives rewards"
        paid = returns(batch.rewards(), length, discount)
        average, seen = mean(paid.mean(0)), state["seen"]
        baseline = torch.where(seen > 0, state["baseline"], average)  # the first step's own mean, not nothing
        judged = slice(batch.judged)
        loss = surrogate(batch.output.logits[judged], batch.output.ids[judged], paid - baseline)
        return loss, {"baseline": decay * baseline + (1 - decay) * average, "seen": seen + 1}

    def unpack(state: State) -> State:
        return {name: value.to(device) for name, value in state.items()}

    return Term(term, lambda: unpack({"baseline": torch.zeros(length), "seen": torch.zeros(())}), unpack=unpack)
