from bench.contract import Card

PAPER = {
    "paper": (
        "Zhou et al., DoReFa-Net: Training Low Bitwidth Convolutional Neural Networks with Low Bitwidth Gradients, 2016"
    ),
    "year": 2016,
    "url": "https://arxiv.org/abs/1606.06160",
}

METHODS = (
    Card(
        key="dorefa_1",
        name="DoReFa 1-bit",
        adapter="algorithms.dorefa.adapter:DoReFa1",
        bits_w=1,
        bits_a=1,
        family="binary",
        start="uniform from 0 to 0.001 (BiBench, dorefa.py)",
        provenance=(
            "authors' code: one scale a layer, weight gradient unchanged (BiBench's one a channel and gradient where "
            "|W| <= 1: an option); activations are signs as in super-resolution tables, not the paper's {0, 1}; "
            "Hardtanh for ReLU as in BiBench"
        ),
        formula="y = mean|W| sign(W) * sign(x) + b",
        deploy={"Larq": "", "daBNN": ""},
        **PAPER,
    ),
    *(
        Card(
            key=f"dorefa_{bits}",
            name=f"DoReFa {bits}-bit",
            adapter=f"algorithms.dorefa.adapter:DoReFa{bits}",
            bits_w=bits,
            bits_a=bits,
            family="low-bit",
            provenance="paper; gradients are not quantized, as in PAMS's comparison; no normalisation is added",
            formula="y = (2 q(tanh W / (2 max|tanh W|) + 1/2) - 1) * q(clip(x, 0, 1)) + b, q(r) = round(n r)/n",
            deploy={"Larq": "holds 1-bit layers only", "daBNN": "holds 1-bit layers only"},
            **PAPER,
        )
        for bits in (2, 4, 8)
    ),
)
CARDS = (*METHODS, METHODS[0].as_printed("algorithms.dorefa.adapter:DoReFa1Printed"))
