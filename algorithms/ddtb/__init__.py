from bench.contract import Card

PAPER = {
    "paper": "Zhong et al., Dynamic Dual Trainable Bounds for Ultra-low Precision Super-Resolution Networks, ECCV 2022",
    "year": 2022,
    "url": "https://github.com/zysxmu/DDTB",
    "family": "low-bit",
    "formula": "y = q(W, 1st to 99th percentile) * q(x, l, u) + b, q on multiples of (u - l) / (2^k - 1), 0 among them",
    "convention": "pams",
    "deploy": {"Larq": "holds 1-bit layers only", "daBNN": "holds 1-bit layers only"},
}
READING = (
    "official code for the bounds' gradient, the weights' percentiles and the losses. Bounds start at the first "
    "batch's percentiles for all widths (the code leaves 3 and 4 bits at +-10) and learn from then on; the start is "
    "the full-precision network. Bounds learn at 1e-2 beside 1e-4 for images in 0..255, less for smaller ranges"
)
GATE = (
    "Gate: on the 3 of 10 quantizers whose extremes vary most in the first of 60 epochs, acting from the sixth on; its "
    "own 2-bit inputs take their range from each image and pass the gradient (the code: from the batch, and it cuts "
    "the gradient off). As published, a block's first convolution is fed an unquantized sum"
)
INTEGER = (
    "our variant that integers can run: no gate, so bounds do not depend on the image, and a block's first convolution "
    "is fed quantized"
)

CARDS = (
    *(
        Card(
            key=f"ddtb_{bits}",
            name=f"DDTB {bits}-bit",
            adapter=f"algorithms.ddtb.adapter:DDTB{bits}",
            bits_w=bits,
            bits_a=bits,
            provenance=f"{READING}. {GATE}",
            **PAPER,
        )
        for bits in (2, 3, 4)
    ),
    *(
        Card(
            key=f"ddtb_int{bits}",
            name=f"DDTB {bits}-bit, integer",
            adapter=f"algorithms.ddtb.adapter:DDTBInt{bits}",
            bits_w=bits,
            bits_a=bits,
            provenance=f"{INTEGER}. {READING}",
            **PAPER,
        )
        for bits in (2, 3, 4)
    ),
)
