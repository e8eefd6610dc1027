from bench.contract import Card

CARD = Card(
    key="btm",
    name="BTM",
    adapter="algorithms.btm.adapter:BTM",
    bits_w=1,
    bits_a=1,
    paper=(
        "Jiang et al., Training Binary Neural Network without Batch Normalization for Image Super-Resolution, AAAI 2021"
    ),
    year=2021,
    url="https://ojs.aaai.org/index.php/AAAI/article/view/16263",
    family="binary",
    start="Xavier uniform (paper)",
    provenance=(
        "two independent reading notes, no official code: Xavier start, normalised input, PReLU after each "
        "convolution. Input statistics (DIV2K's mean, deviation 0.25), clip as weight estimator (the notes disagree; "
        "poly is an option) and the backbone's own shortcut are our reading"
    ),
    formula="y = PReLU(alpha_o sign(W_o) * sign(x))",
    deploy={"Larq": "", "daBNN": ""},
)
