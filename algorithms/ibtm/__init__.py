from bench.contract import Card

CARD = Card(
    key="ibtm",
    name="IBTM",
    adapter="algorithms.ibtm.adapter:IBTM",
    bits_w=1,
    bits_a=1,
    paper=(
        "Jiang et al., Training Binary Neural Network without Batch Normalization for Image Super-Resolution, AAAI 2021"
    ),
    year=2021,
    url="https://ojs.aaai.org/index.php/AAAI/article/view/16263",
    family="binary",
    provenance=(
        "two independent reading notes, no official code. Which four branches a block has (1x5 and 5x1, dilation 1 and "
        "2) and the weight 1 of the distilled output are our reading; distillation at inner stages, with its extra "
        "PReLU, is left out because its places and weights are unknown"
    ),
    formula="as BTM; first conv of a block = concat of four dilated binary 1x5 and 5x1 convs of Co/4 channels",
    deploy={"Larq": "", "daBNN": ""},
)
