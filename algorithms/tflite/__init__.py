from bench.contract import Card

CARDS = tuple(
    Card(
        key=f"tflite_{bits}",
        name=f"TF-Lite style {bits}-bit",
        adapter=f"algorithms.tflite.adapter:TFLite{bits}",
        bits_w=bits,
        bits_a=bits,
        paper=(
            "Jacob et al., Quantization and Training of Neural Networks for Efficient Integer-Arithmetic-Only "
            "Inference, CVPR 2018"
        ),
        year=2018,
        url="https://arxiv.org/abs/1712.05877",
        family="low-bit",
        provenance=(
            "paper for activations (running range, nudged, delayed); weights symmetric in the narrow range, as in "
            "TF-Lite's 8-bit specification (the paper's own range of weights is an option). Decay 0.999 and a delay of "
            "a tenth of the run are assumed. PAMS's table means a fixed maximum by the same name"
        ),
        formula="y = S_w round(W / S_w) * S_x (clamp(round(x / S_x) + Z, 0, 2^k - 1) - Z) + b",
        deploy={"Larq": "holds 1-bit layers only", "daBNN": "holds 1-bit layers only"},
    )
    for bits in (4, 8)
)
