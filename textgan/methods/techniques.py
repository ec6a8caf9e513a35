"""Techniques: what is neither a loss nor a net, but a way to train."""

from __future__ import annotations

from textgan.methods.method import FROZEN, ON_OTHERS, ON_TEXT, ON_TOYS, Method, Recipe, Refusal, Source, refusing
from textgan.methods.papers import (
    AVERAGING,
    GUMBEL,
    IMPROVED,
    SCRATCH,
    SEQGAN,
    SOBOLEV,
    TTUR,
)
from textgan.methods.terms import UNREAD

TECHNIQUES = (
    Method(
        "label_smoothing",
        "a critic that is not too sure of real samples",
        "the target of real samples is a < 1 instead of 1; that of generated ones stays 0",
        (Source(IMPROVED, "section 3.4, a = 0.9"),),
        ("game.real_label=0.9", "game.objective=non_saturating"),
        notes="One-sided. For objectives with labels: non_saturating, minimax, least_squares.",
        refused=refusing(
            "its scores have no labels to smooth",
            "game.objective=wasserstein",
            "game.objective=hinge",
            "game.objective=relativistic",
        ),
    ),
    Method(
        "real_smoothing",
        "real text that is not told from a softmax by being one-hot",
        "(1 - s) x + s / (V - 1) (1 - x) of V symbols, s from a first to a last share over the steps",
        (Source(SOBOLEV, "section 6.2"),),
        ("game.real_smoothing=[0.1, 0.0]",),
        notes="On the real side alone.",
        refused=(FROZEN, *ON_OTHERS),
    ),
    Method(
        "temperature_annealing",
        "a relaxation that becomes discrete as training goes",
        "T = T_0 (T_1 / T_0)^(share of the steps done)",
        (Source(GUMBEL, "section 2.2"),),
        ("generator.final_temperature=0.5", "generator.relaxation=gumbel_softmax"),
        notes="The schedule, by equal factors to the last step, is ours.",
        refused=(FROZEN, *ON_OTHERS),
    ),
    Method(
        "historical_averaging",
        "a game that ends in its middle instead of circling it",
        "+ w |θ - θ̄|² to both players' losses, θ̄ the mean of their earlier weights",
        (Source(IMPROVED, "section 3.3"),),
        ("game.historical_averaging=1",),
        notes="There the mean holds the present weights too: the same but for a factor that goes to 1.",
    ),
    Method(
        "weight_averaging",
        "a model that is the mean of many steps",
        "w̄ ← d w̄ + (1 - d) w after each generator step; w̄ is the model that is kept",
        (Source(AVERAGING),),
        ("generator.averaging=0.998",),
        notes="d is at most (1 + step) / (10 + step), so that the first weights are soon forgotten.",
    ),
    Method(
        "two_time_scales",
        "a critic that learns faster instead of more often",
        "a larger learning rate for the critic than for the generator, one critic step",
        (Source(TTUR),),
        ("critic.learning_rate=3e-4", "generator.learning_rate=1e-4", "critic.steps=1"),
        recipe=Recipe("adam", 1e-4, 3e-4, (0.5, 0.9), 1),
    ),
    Method(
        "semi_supervised",
        "a critic that learns to classify pictures of which few have a label",
        "D(x) = log Σ exp l(x) of K logits l, one a class; critic: 2 E (D(x_y) - l_y(x_y)) of samples x_y of class y "
        "+ E softplus(-D(x)) + E softplus(D(g))",
        (Source(IMPROVED, "section 5"),),
        (
            "corpus.labels_per_class=10",
            "game.objective=non_saturating",
            "game.classification=[2.0, 0.0]",
            "game.weight=0",
            "feature_matching.weight=1",
            "generator.net=resnet",
            "critic.net=resnet",
            "generator.relaxation=tanh",
            "corpus.name=digits",
        ),
        recipe=Recipe("adam", 3e-4, 3e-4, (0.5, 0.999), 1),
        notes="It is twice the loss of a softmax over K + 1 classes, the logit of generated samples fixed at 0; Adam "
        "does not see the factor. The generator knows no label. Published: of 10,000 MNIST pictures 1677, 221, 93 and "
        "90 are misclassified with 20, 50, 100 and 200 labels in all; of CIFAR-10 18.63 % with 4,000, of SVHN 8.11 % "
        "with 1,000.",
        refused=(
            *refusing(
                "its scores are no log-odds, which a class could have its share of",
                "game.objective=wasserstein",
                "game.objective=relativistic",
                "game.objective=least_squares",
                "game.objective=hinge",
            ),
            Refusal("corpus.label_column=label", "of a generator that is asked for a label, all are known"),
            Refusal("critic.minibatch=stddev", "it would class a sample by those beside it"),
            *refusing(
                "it changes the score, and not the logits",
                "game.constraint=gradient_normalisation",
                "game.constraint=piecewise_gradient_normalisation",
            ),
            ON_TEXT,
            ON_TOYS,
        ),
    ),
    Method(
        "pretraining",
        "a generator that knows the language before it meets the critic",
        "the first steps are trained by the likelihood alone, with no critic",
        (Source(SEQGAN), Source(SCRATCH, "which does without")),
        ("likelihood.pretrain=500", "generator.net=recurrent"),
        refused=(*UNREAD, *ON_OTHERS),
    ),
)
