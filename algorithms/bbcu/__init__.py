from bench.contract import Card

PAPER = {
    "bits_w": 1,
    "bits_a": 1,
    "paper": "Xia et al., Basic Binary Convolution Unit for Binarized Image Restoration Network, ICLR 2023",
    "year": 2023,
    "url": "https://arxiv.org/abs/2210.00405",
    "family": "binary",
    "formula": "y = x + RPReLU(alpha_o sign(W_o) * sign(x + m_c))",
    "deploy": {"Larq": "", "daBNN": "needs a threshold per channel"},
}

CARDS = (
    Card(
        key="bbcu",
        name="BBCU-L",
        adapter="algorithms.bbcu.adapter:BBCU",
        start="uniform within +-1 / sqrt(fan-in) (official code, quant_convs_bbcu.py)",
        provenance=(
            "official code and paper (unit v4, residual alignment k = 130 for 64 channels); linear layers, without "
            "RPReLU and with a bias, are our reading"
        ),
        **PAPER,
    ),
    Card(
        key="bbcu_m",
        name="BBCU-M",
        adapter="algorithms.bbcu.adapter:BBCUM",
        start="body as BBCU-L; upsampler and conv_hr a tenth of Kaiming (official code, arch_util.py)",
        provenance="official code: upsampler and conv_hr binary too, no activation after the shuffles; else as BBCU-L",
        **PAPER,
    ),
)
