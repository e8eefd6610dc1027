from bench.contract import Card

CARD = Card(
    key="xnor",
    name="XNOR-Net",
    adapter="algorithms.xnor.adapter:XNOR",
    bits_w=1,
    bits_a=1,
    paper="Rastegari et al., XNOR-Net: ImageNet Classification Using Binary Convolutional Neural Networks, ECCV 2016",
    year=2016,
    url="https://arxiv.org/abs/1603.05279",
    family="binary",
    provenance=(
        "paper: one factor per output pixel (BiBench's code: one per image, an option), order BN - sign - conv. Weight "
        "gradient with the factor 1/n + alpha, as in the authors' Lua code up to a constant a layer; centring and "
        "clipping of latent weights: recalled (hypothesis)"
    ),
    formula="y = K(h) alpha_o sign(W_o) * sign(h), h = BN(x), K = mean of |h| over channels and window",
    deploy={
        "Larq": "activations are rescaled by their magnitude",
        "daBNN": "activations are rescaled by their magnitude",
    },
    xfail={
        "official.xnor_conv.dx": "BiBench drops the input's scale from the gradient; the paper's rule keeps it",
        "official.xnor_conv.dweight": "BiBench's gradient is 1 where |W| <= 1; the paper's is alpha + 1/n",
        "official.init.binary layer; weight": "BiBench's start, from 0 to 0.001; the authors' Lua starts as He et al.",
    },
)
