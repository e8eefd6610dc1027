from bench.contract import Card

CARD = Card(
    key="fda",
    name="FDA",
    adapter="algorithms.fda.adapter:FDA",
    bits_w=1,
    bits_a=1,
    paper="Xu et al., Learning Frequency Domain Approximation for Binary Neural Networks, NeurIPS 2021",
    year=2021,
    url="https://arxiv.org/abs/2103.00841",
    family="binary",
    start="uniform within +-1 / sqrt(fan-in) (BiBench, fda.py)",
    provenance=(
        "paper and BiBench's code: scale per channel, no mean shift (the slides name one), estimator cut off at "
        "|x| > 1, alpha in the gradient and on the noise, whose branch is a 64th as wide (a quarter below 64 values). "
        "The noise branch is off outside training, so the network is binary at any time; the schedules' 100 epochs, "
        "and BN and Hardtanh in the backbone's block, are our reading"
    ),
    formula="y = BN(alpha_o sign(W_o) * sign(x)), sign' = (4w/pi) sum cos((2i+1)wx)",
    deploy={"Larq": "", "daBNN": ""},
    xfail={"official.fda_conv_noise.y_eval": "BiBench keeps the noise in evaluation, where its network is not binary"},
)
