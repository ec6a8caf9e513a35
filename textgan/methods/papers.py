"""The publications that methods are from."""

from __future__ import annotations

from textgan.methods.method import Paper, Recipe

ALP = Paper("Terjék", 2020, "Adversarial Lipschitz Regularization", "1907.05681")
AC_GAN = Paper("Odena, Olah & Shlens", 2017, "Conditional Image Synthesis with Auxiliary Classifier GANs", "1610.09585")
ADAM = Paper("Kingma & Ba", 2015, "Adam: A Method for Stochastic Optimization", "1412.6980")
AVERAGING = Paper("Yazıcı et al.", 2019, "The Unusual Effectiveness of Averaging in GAN Training", "1806.04498")
CONCRETE = Paper(
    "Maddison, Mnih & Teh", 2017, "The Concrete Distribution: A Continuous Relaxation of Discrete Random Variables",
    "1611.00712",
)  # fmt: skip
DCGAN = Paper(
    "Radford, Metz & Chintala", 2016,
    "Unsupervised Representation Learning with Deep Convolutional Generative Adversarial Networks", "1511.06434",
)  # fmt: skip
FBGAN = Paper("Gupta & Zou", 2019, "Feedback GAN for DNA optimizes protein functions", "1804.01694")
GAN = Paper("Goodfellow et al.", 2014, "Generative Adversarial Networks", "1406.2661")
GEOMETRIC = Paper("Lim & Ye", 2017, "Geometric GAN", "1705.02894")
GN_GAN = Paper(
    "Wu, Shuai, Tam & Chiu", 2021, "Gradient Normalization for Generative Adversarial Networks", "2109.02235"
)
GRAN = Paper(
    "Bhaskara, Aumentado-Armstrong, Jepson & Levinshtein", 2022,
    "GraN-GAN: Piecewise Gradient Normalization for Generative Adversarial Networks", "2111.03162",
)  # fmt: skip
GRU = Paper(
    "Cho et al.", 2014, "Learning Phrase Representations using RNN Encoder-Decoder for Statistical Machine Translation",
    "1406.1078",
)  # fmt: skip
GUMBEL = Paper("Jang, Gu & Poole", 2017, "Categorical Reparameterization with Gumbel-Softmax", "1611.01144")
LSGAN = Paper("Mao et al.", 2017, "Least Squares Generative Adversarial Networks", "1611.04076")
MARGIN = Paper(
    "Jolicoeur-Martineau & Mitliagkas", 2019, "Gradient penalty from a maximum margin perspective", "1910.06922"
)
MU_PENALTY = Paper(
    "Kim, Park & Hwang", 2018, "Local Stability and Performance of Simple Gradient Penalty mu-Wasserstein GAN",
    "1810.02528",
)  # fmt: skip
PROJECTION = Paper("Miyato & Koyama", 2018, "cGANs with Projection Discriminator", "1802.05637")
R1 = Paper("Mescheder, Geiger & Nowozin", 2018, "Which Training Methods for GANs do actually Converge?", "1801.04406")
R3GAN = Paper("Huang et al.", 2024, "The GAN is dead; long live the GAN! A Modern GAN Baseline", "2501.05441")
REINFORCE = Paper(
    "Williams", 1992, "Simple statistical gradient-following algorithms for connectionist reinforcement learning"
)
RELATIVISTIC = Paper(
    "Jolicoeur-Martineau", 2018, "The relativistic discriminator: a key element missing from standard GAN", "1807.00734"
)
RMSPROP = Paper("Tieleman & Hinton", 2012, "Lecture 6.5 of Neural Networks for Machine Learning: RMSProp")
SCRATCH = Paper("de Masson d'Autume et al.", 2019, "Training language GANs from Scratch", "1905.09922")
SEQGAN = Paper("Yu et al.", 2017, "SeqGAN: Sequence Generative Adversarial Nets with Policy Gradient", "1609.05473")
SGDR = Paper("Loshchilov & Hutter", 2017, "SGDR: Stochastic Gradient Descent with Warm Restarts", "1608.03983")
SNGAN = Paper(
    "Miyato et al.", 2018, "Spectral Normalization for Generative Adversarial Networks", "1802.05957"
)  # fmt: skip
SOBOLEV = Paper("Mroueh et al.", 2018, "Sobolev GAN", "1711.04894")
STRAIGHT = Paper(
    "Bengio, Léonard & Courville", 2013,
    "Estimating or Propagating Gradients Through Stochastic Neurons for Conditional Computation", "1308.3432",
)  # fmt: skip
TEACHER = Paper(
    "Williams & Zipser", 1989, "A learning algorithm for continually running fully recurrent neural networks"
)
IMPROVED = Paper("Salimans et al.", 2016, "Improved Techniques for Training GANs", "1606.03498")
TTUR = Paper(
    "Heusel et al.", 2017,
    "GANs Trained by a Two Time-Scale Update Rule Converge to a Local Nash Equilibrium", "1706.08500",
)  # fmt: skip
TV = Paper(
    "Zhang, Zhang & Gao", 2018, "A Wasserstein GAN model with the total variational regularization", "1812.00810"
)
WGAN = Paper("Arjovsky, Chintala & Bottou", 2017, "Wasserstein GAN", "1701.07875")
WGAN_GP = Paper("Gulrajani et al.", 2017, "Improved Training of Wasserstein GANs", "1704.00028")
WGAN_LP = Paper("Petzka, Fischer & Lukovnikov", 2018, "On the regularization of Wasserstein GANs", "1709.08894")

BATCH_NORM = Paper(
    "Ioffe & Szegedy", 2015,
    "Batch Normalization: Accelerating Deep Network Training by Reducing Internal Covariate Shift", "1502.03167",
)  # fmt: skip
CONDITIONAL_NORM = Paper("Dumoulin, Shlens & Kudlur", 2017, "A Learned Representation For Artistic Style", "1610.07629")
CT_GAN = Paper(
    "Wei et al.", 2018,
    "Improving the Improved Training of Wasserstein GANs: A Consistency Term and Its Dual Effect", "1803.01541",
)  # fmt: skip
LAYER_NORM = Paper("Ba, Kiros & Hinton", 2016, "Layer Normalization", "1607.06450")
PROGRESSIVE = Paper(
    "Karras et al.", 2018, "Progressive Growing of GANs for Improved Quality, Stability, and Variation", "1710.10196"
)

ATTENTION = Paper("Vaswani et al.", 2017, "Attention Is All You Need", "1706.03762")
GPT2 = Paper("Radford et al.", 2019, "Language Models are Unsupervised Multitask Learners")
LSTM = Paper("Hochreiter & Schmidhuber", 1997, "Long Short-Term Memory")

WGAN_RECIPE = Recipe("rmsprop", 5e-5, 5e-5, critic_steps=5)
WGAN_GP_RECIPE = Recipe("adam", 1e-4, 1e-4, (0.5, 0.9), 10)
SNGAN_RECIPE = Recipe("adam", 2e-4, 2e-4, (0.0, 0.9), 5)
R3GAN_RECIPE = Recipe("adam", 2e-4, 2e-4, (0.0, 0.99), 1)
