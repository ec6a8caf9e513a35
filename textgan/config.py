"""The typed, frozen configuration: every field with its meaning and unit.

The line under a field is its help text; `[unit]` closes it where there is one.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator

Decay = Annotated[float, Field(ge=0, lt=1)]
Weight = Annotated[float, Field(ge=0)]
Share = Annotated[float, Field(ge=0, le=1)]


class Section(BaseModel):
    """A frozen group of fields; unknown keys are errors."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True, allow_inf_nan=False)

    @field_validator("*", mode="before")
    @classmethod
    def _no_truth_values(cls, value: Any, info: ValidationInfo) -> Any:
        field = cls.model_fields[info.field_name or ""]
        if isinstance(value, bool) and field.annotation is not bool:  # pydantic would take it as 0 or 1
            raise ValueError("true and false are no values of this setting")
        return value


class Corpus(Section):
    """Where the text or the pictures come from."""

    name: str = "python_docs"
    """A registered corpus; a file, folder, archive or glob of text, "-" for stdin; hf:, nltk:, grammar:, oracle:NAME. A
    folder of pictures is images, with corpus.data where it lies."""
    data: str = ""
    """Where a registered corpus lies on this machine. [path]"""
    column: str = ""
    """The field of the text in JSONL, TSV, CSV or parquet, by name (of TSV and CSV also number), or of the picture in
    parquet; else the usual one."""
    label_column: str = ""
    """The label's field, which makes the model conditional; @file for one file a class; of pictures, label
    (of cifar100 also coarse)."""
    labels_per_class: int = Field(0, ge=0)
    """Semi-supervised: so many pictures of each class keep their label, by which the critic learns to classify; 0 is
    none of this. [pictures]"""
    heldout: float = Field(0.1, gt=0, lt=1)
    """Share of the lines, or pictures, held out where the corpus has no split of its own, chosen by hash. [share]"""
    errors: Literal["strict", "replace", "skip"] = "strict"
    """What to do with a line that is not UTF-8, a record that is none, or a broken picture: stop, mend it (text), or
    leave it out."""
    max_lines: int = Field(10_000_000, ge=1)
    """At most this many lines of training text, or pictures to train on. [lines]"""
    deduplicate: bool = False
    """Leave out lines that were met before."""
    lower: bool = False
    """Turn the text to lower case."""
    normalise: Literal["none", "NFC", "NFD", "NFKC", "NFKD"] = "none"
    """Unicode normal form of the text."""
    shortest: int = Field(0, ge=0)
    """Leave out shorter lines. [characters]"""
    longest: int = Field(0, ge=0)
    """Leave out longer lines; 0 keeps them. [characters]"""
    processes: int = Field(0, ge=0, le=256)
    """Processes that read large text or pictures; 0 is one a core. [processes]"""


class Text(Section):
    """How lines become rows of symbols, and symbols lines."""

    unit: Literal["char", "byte", "word", "piece", "dna", "protein", "smiles"] = "char"
    """What a symbol is: a character, byte, word or sentencepiece, or a letter of a declared alphabet."""
    length: int = Field(32, ge=2, le=4096)
    """Length of a sample. [symbols]"""
    cut: Literal["auto", "line", "windows"] = "auto"
    """Cut a long line once, or take every window that starts a word; auto is line where half of the lines fit."""
    pad: Literal["own", "backtick"] = "own"
    """Pad with a symbol of its own, or with a backtick as the paper does (a backtick in the text is then the pad)."""
    max_symbols: int = Field(2048, ge=2, le=65_000)
    """Keep at most this many different symbols, the commonest; the others become the unknown symbol. [symbols]"""
    decode: Literal["argmax", "sample"] = "sample"
    """How logits become text: the likeliest symbol, or one drawn from the softmax."""


class Image(Section):
    """How pictures become rows of pixels."""

    side: int = Field(32, ge=8, le=1024)
    """Height and width: of a picture the middle square is taken, and resized. [pixels]"""
    channels: Literal[1, 3] = 3
    """3 for colours, 1 for grey. [channels]"""


class Generator(Section):
    """The net that turns noise into samples, and its optimizer."""

    net: str = "upsampling"
    """Architecture: upsampling, paper or transformer, which write all symbols at once; recurrent (GRU), lstm or
    causal_transformer, which write one after the other; of points, mlp; of pictures, resnet, resnet_growing, resnet101,
    dcgan, dcgan_constant or mlp."""
    width: int = Field(48, ge=1, le=16_384)
    """Channels at full length, or at a picture's full size; of recurrent nets, values of a layer's state; of mlp,
    hidden units. [channels]"""
    blocks: int = Field(5, ge=1, le=1000)
    """Residual blocks of the paper net and of transformers, layers of recurrent nets, hidden ones of mlp; other nets
    have as many as the length or the side asks for. [blocks]"""
    kernel: int = Field(3, ge=1, le=1025)
    """Convolution kernel, odd, of upsampling, paper, and nets of pictures but mlp; other nets have none. [positions]"""
    norm: Literal["none", "batch", "layer", "virtual_batch", "conditional_batch"] = "none"
    """Normalisation before each ReLU of a block (upsampling, paper and nets of pictures); conditional_batch goes by the
    class (resnet and resnet_growing)."""
    nonlinearity: Literal["relu", "tanh", "gated"] = "relu"
    """What stands between the layers of dcgan and dcgan_constant; gated is sigmoid · tanh."""
    latent: int = Field(128, ge=1, le=65_536)
    """Size of the noise. [values]"""
    relaxation: str = "softmax"
    """What the critic sees of a generated sample: softmax, straight_through, straight_through_argmax, gumbel_softmax,
    gumbel_straight_through, or drawn symbols that are paid by their score: reinforce; of points, identity; of
    pictures, tanh."""
    temperature: float = Field(1.0, gt=0)
    """Divides the logits before the softmax, in training. [ratio]"""
    final_temperature: float = Field(0.0, ge=0)
    """What the temperature becomes, by equal factors, at the last step; 0 leaves it as it is. [ratio]"""
    optimizer: Literal["adam", "rmsprop"] = "adam"
    """What updates the weights; rmsprop keeps a mean square only."""
    learning_rate: float = Field(1e-3, gt=0)
    """The optimizer's step size. [1/step]"""
    betas: tuple[Decay, Decay] = (0.5, 0.99)
    """The optimizer's decay rates of the mean (0 for rmsprop) and of the mean square. [ratio]"""
    averaging: float = Field(0.998, ge=0, lt=1)
    """Decay of the exponential average of the weights that is kept as the model; 0 keeps the raw weights. [ratio]"""


class Critic(Section):
    """The net that scores samples, and its optimizer."""

    net: str = "downsampling"
    """Architecture: downsampling, paper or transformer; recurrent (GRU) or causal_transformer, which score each symbol
    by those up to it; of points, mlp; of pictures, resnet, resnet_growing, resnet101 or dcgan; none for a game without
    a neural critic."""
    width: int = Field(32, ge=1, le=16_384)
    """Channels at full length, or at a picture's full size; of the recurrent net, values of a layer's state; of mlp,
    hidden units. [channels]"""
    blocks: int = Field(5, ge=1, le=1000)
    """Residual blocks of the paper net and of transformers, layers of the recurrent net, of mlp; other nets have as
    many as the length or the side asks for. [blocks]"""
    kernel: int = Field(3, ge=1, le=1025)
    """Convolution kernel, odd, of downsampling, paper and nets of pictures; other nets have none. [positions]"""
    norm: Literal["none", "batch", "layer"] = "none"
    """Normalisation before each ReLU of a block (downsampling, paper and nets of pictures); batch only where no slope
    is looked at."""
    nonlinearity: Literal["relu", "tanh", "gated"] = "relu"
    """What stands between the layers of dcgan, relu with a leak; gated is sigmoid · tanh."""
    minibatch: Literal["none", "discrimination", "stddev"] = "none"
    """What the critic is told of the whole batch: nothing, how close its samples are, or how far they spread."""
    dropout: float = Field(0.0, ge=0, lt=1)
    """Share of each block's output that is dropped where the consistency penalty looks, and while the critic learns
    under corpus.labels_per_class (downsampling, paper, and residual nets of pictures). [ratio]"""
    optimizer: Literal["adam", "rmsprop"] = "adam"
    """What updates the weights; rmsprop keeps a mean square only."""
    learning_rate: float = Field(1e-3, gt=0)
    """The optimizer's step size. [1/step]"""
    betas: tuple[Decay, Decay] = (0.5, 0.99)
    """The optimizer's decay rates of the mean (0 for rmsprop) and of the mean square. [ratio]"""
    steps: int = Field(1, ge=1)
    """Critic steps a turn (n_critic). [steps]"""
    every: int = Field(1, ge=1)
    """The critic has a turn before every so many generator steps. [steps]"""
    batch: int = Field(0, ge=0)
    """Samples a critic step; 0 is training.batch. [samples]"""
    judged: int = Field(0, ge=0)
    """How many of the generator's batch the critic judges, all at most; 0 is as many as a critic step has. [samples]"""


class Game(Section):
    """What the two nets play: an objective, penalties on the critic, and its weight beside the other terms."""

    objective: str = "wasserstein"
    """Adversarial objective: wasserstein, relativistic, non_saturating, minimax, least_squares, hinge."""
    weight: float = Field(1.0, ge=0)
    """Weight of the adversarial loss in the generator's sum of terms. [ratio]"""
    penalties: dict[str, Weight] = Field(default={"gradient_penalty": 10.0})
    """Weights of the penalties on the critic, by name: gradient_penalty, gradient_penalty_one_sided, max_margin (also
    max_margin_l1, _l2, _squared), r1, r2, zero_centred_mid, zero_centred_mixture, total_variation,
    adversarial_lipschitz, consistency, sobolev. [ratio]"""
    constraint: str = "none"
    """Constraint on the critic: none, weight_clipping, spectral_norm, gradient_normalisation,
    piecewise_gradient_normalisation."""
    clip: float = Field(0.01, gt=0)
    """Largest absolute weight of a critic under weight_clipping. [score]"""
    lipschitz: float = Field(1.0, gt=0)
    """Slope K of a critic under piecewise_gradient_normalisation. [score a unit of distance]"""
    real_label: float = Field(1.0, gt=0.5, le=1)
    """What the critic is to call real samples, under non_saturating, minimax and least_squares; .9 smooths. [share]"""
    real_smoothing: tuple[Share, Share] = (0.0, 0.0)
    """What one-hot symbols of real samples give up to the others, at the first step and at the last. [share]"""
    historical_averaging: float = Field(0.0, ge=0)
    """Weight of both players' squared distance from the mean of their earlier weights. [ratio]"""
    baseline: Decay = 0.9
    """What a step leaves of the mean reward that the relaxation reinforce compares with. [ratio]"""
    discount: Share = 1.0
    """Under reinforce, what the reward of the next position counts; of critics that score every position. [ratio]"""
    condition: Literal["projection", "auxiliary"] = "projection"
    """How the critic takes the labels of a labelled corpus: in its score, or by a classifier of its own beside it."""
    classification: tuple[Weight, Weight] = (1.0, 0.1)
    """Weights of that classifier's cross-entropy: of real samples for the critic, of generated for the generator, where
    it is asked for a label; under corpus.labels_per_class of the labelled samples."""


class CountCritic(Section):
    """The counted critic: a generator term that rewards n-grams rarer in samples than in the corpus."""

    weight: float = Field(0.0, ge=0)
    """Weight in the generator's loss; 0 leaves the term out. [ratio]"""
    orders: tuple[int, ...] = (3, 4)
    """Lengths of the n-grams counted. [symbols]"""
    clip: float = Field(0.7, gt=0)
    """Largest reward of a window. [bits]"""
    forgetting: float = Field(0.85, gt=0, lt=1)
    """What a step leaves of the counts of generated n-grams. [ratio]"""
    kept: int = Field(80, ge=1)
    """Commonest symbols counted apart; the rest share one class. [symbols]"""
    counted_first: int = Field(4, ge=0)
    """Windows up to this long are counted before they are scored, which keeps the softmax broad. [symbols]"""
    bits: int = Field(24, ge=8, le=30)
    """A table has at most 2**bits entries, shared by hash; millions of lines want more. [bits]"""
    edges: int = Field(0, ge=0)
    """Edge symbols on each side of a row, so that windows know where it begins and ends. [symbols]"""
    pads: Literal["paid", "unpaid"] = "paid"
    """Reward windows of padding alone as any other, or at most by 0; paid, a corpus of short lines may turn to pads."""
    likeliest: int = Field(0, ge=0)
    """Score only so many likeliest symbols of each position; 0 scores them all. [symbols]"""


class FeatureMatching(Section):
    """Distance of the critic's mean features of real and of generated samples: a generator term."""

    weight: float = Field(0.0, ge=0)
    """Weight in the generator's loss; 0 leaves the term out. [ratio]"""


class Likelihood(Section):
    """Likelihood of real text under a generator that writes one symbol after the other: a generator term."""

    weight: float = Field(0.0, ge=0)
    """Weight in the generator's loss; 0 leaves the term out. [ratio]"""
    pretrain: int = Field(0, ge=0)
    """First steps that are trained by the likelihood alone, with no critic. [steps]"""


class WindowLikelihood(Section):
    """Likelihood of real windows under the generator's own windows: a generator term for early training."""

    weight: float = Field(0.0, ge=0)
    """Weight in the generator's loss; 0 leaves the term out. [ratio]"""
    order: int = Field(4, ge=1)
    """Length of a window. [symbols]"""
    real: int = Field(512, ge=1)
    """Real windows a step. [windows]"""
    fake: int = Field(1024, ge=1)
    """Generated windows a step. [windows]"""


class Training(Section):
    """The loop."""

    steps: int = Field(3000, ge=1)
    """Generator steps in all, and the length of every schedule. [steps]"""
    minutes: float = Field(0.0, ge=0)
    """Stop after this time even if steps are left; 0 never does. [minutes]"""
    processor_minutes: float = Field(0.0, ge=0)
    """Stop after so much processor time of steps, resumed ones included, whatever else the machine does; 0 never does.
    [minutes]"""
    batch: int = Field(128, ge=1)
    """Samples a step. [samples]"""
    schedule: Literal["constant", "linear", "cosine"] = "constant"
    """How both learning rates go over the steps: constant, linear to zero, or along a cosine to a tenth."""
    seed: int = Field(0, ge=0)
    """Seed of everything that is drawn."""
    device: str = "auto"
    """Where to compute: auto, cpu, cuda, cuda:1, mps."""
    precision: Literal["auto", "fp32", "tf32", "bf16"] = "auto"
    """How finely nets multiply: fp32, tf32 (cuda), bf16 (cuda, cpu); auto is tf32 on cuda, fp32 elsewhere."""
    graphs: bool = False
    """On CUDA, replay the critic's step as a CUDA graph where it can be one; not yet run on a GPU, hence off."""
    log_every: int = Field(20, ge=1)
    """A row in metrics.jsonl every so often. [steps]"""
    evaluate_every: int = Field(250, ge=1)
    """Evaluate and save a checkpoint every so often, and at the end. [steps]"""
    rollbacks: int = Field(3, ge=0)
    """Where a run diverges, go back to the last checkpoint and draw anew, at most so often in all. [times]"""


class Evaluation(Section):
    """What is measured during training and by the report."""

    samples: int = Field(2000, ge=2)
    """Samples generated at each evaluation. [samples]"""
    report_samples: int = Field(10_000, ge=2)
    """Samples generated for a report. [samples]"""
    extractor: str = "classifier"
    """What turns pictures into the features that distances are taken on: classifier, a small net trained here, once a
    corpus; efficientnet; inception, for FID and IS."""
    weights: str = ""
    """Where the Inception weights lie; else torch-fidelity's own cache, which fetches them. [path]"""


class Config(Section):
    """Everything that makes a run what it is."""

    preset: str = "quick"
    """The preset these values started from."""
    corpus: Corpus = Corpus()
    text: Text = Text()
    image: Image = Image()
    generator: Generator = Generator()
    critic: Critic = Critic()
    game: Game = Game()
    count_critic: CountCritic = CountCritic()
    feature_matching: FeatureMatching = FeatureMatching()
    likelihood: Likelihood = Likelihood()
    window_likelihood: WindowLikelihood = WindowLikelihood()
    training: Training = Training()
    evaluation: Evaluation = Evaluation()
