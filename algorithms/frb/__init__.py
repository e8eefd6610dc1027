from bench.contract import Card

FRB = Card(
    key="frb",
    name="FRB",
    adapter="algorithms.frb.adapter:FRB",
    bits_w=1,
    bits_a=1,
    bases=2,
    start="unstated in the paper; our reading is Kaiming",
    paper="Zhang et al., Flexible Residual Binarization for Image Super-Resolution, ICML 2024",
    year=2024,
    url="https://proceedings.mlr.press/v235/zhang24bb.html",
    family="binary",
    provenance=(
        "paper only, no official code; FRBC on convolutional backbones, FRBT on SwinIR. Our reading: alpha per output "
        "channel, learned shift, skip per unit, no PReLU on linear layers; distillation sums over block outputs, each "
        "normalised per image (QuantSR's repository: mean over block inputs, normalised over the batch: an option)"
    ),
    formula="y = x + PReLU((a1 sign(W) + a2 sign(W - a1 sign(W))) * sign(x + m_c))",
    deploy={"Larq": "as two convolutions and an add", "daBNN": "as two convolutions and an add, without input shift"},
)
CARDS = (FRB, FRB.as_printed("algorithms.frb.adapter:FRBPrinted"))
