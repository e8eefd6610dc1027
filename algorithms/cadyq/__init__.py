from bench.contract import Card

CARD = Card(
    key="cadyq",
    name="CADyQ",
    adapter="algorithms.cadyq.adapter:CADyQ",
    bits_w=8,
    bits_a=8,
    paper="Hong et al., CADyQ: Content-Aware Dynamic Quantization for Image Super-Resolution, ECCV 2022",
    year=2022,
    url="https://github.com/Cheeun/CADyQ",
    family="low-bit",
    provenance=(
        "official code, on our backbones (its SRResNet is another network). Activations take 4, 6 or 8 bits, chosen "
        "per image and layer; 8 is what is claimed. Teacher and start are full precision instead of PAMS at 8 "
        "bits; the optional term on every block's features is left out. Ranges learn at 1e-2 beside 1e-4 for images in "
        "0..255, in proportion for smaller ranges"
    ),
    formula="y = m round(W n / m) / n * PAMS_k(x) + b, k of 4, 6, 8 by a linear map of image gradients and std(x)",
    convention="pams",
    deploy={"Larq": "holds 1-bit layers only", "daBNN": "holds 1-bit layers only"},
)
