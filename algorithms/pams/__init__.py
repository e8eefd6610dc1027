from bench.contract import Card

PAPER = {
    "paper": "Li et al., PAMS: Quantized Super-Resolution via Parameterized Max Scale, ECCV 2020",
    "year": 2020,
    "url": "https://github.com/colorjam/PAMS",
    "family": "low-bit",
    "convention": "pams",
    "deploy": {"Larq": "holds 1-bit layers only", "daBNN": "holds 1-bit layers only"},
}
READING = (
    "official code for alpha's gradient and the transfer loss (the paper's are options); alpha starts by running mean "
    "as in the paper (the code takes the last batch: an option) and clips from the start. Paper and code differ on the "
    "start: the network starts from the full-precision one here, the released script loads that into the teacher alone "
    "and starts at random. Ranges learn at 1e-2 beside 1e-4 for images in 0..255, in proportion for smaller ranges"
)
FORMULA = "y = a round(clip(x, -a, a) n / a) / n * m round(W n / m) / n + b, m = max|W|, n = 2^(k-1) - 1"

CARDS = (
    *(
        Card(
            key=f"pams_{bits}",
            name=f"PAMS {bits}-bit",
            adapter=f"algorithms.pams.adapter:PAMS{bits}",
            bits_w=bits,
            bits_a=bits,
            provenance=f"{READING}. As published, a block's first convolution is fed an unquantized sum",
            formula=FORMULA,
            xfail={"official.init.range alpha before calibration": "10 there, 1 here; the first batch replaces both"},
            **PAPER,
        )
        for bits in (2, 4, 8)
    ),
    *(
        Card(
            key=f"pams_int{bits}",
            name=f"PAMS {bits}-bit, integer",
            adapter=f"algorithms.pams.adapter:PAMSInt{bits}",
            bits_w=bits,
            bits_a=bits,
            provenance=f"our variant that integers can run: a block's first convolution is fed quantized. {READING}",
            formula=FORMULA,
            **PAPER,
        )
        for bits in (2, 4, 8)
    ),
)
