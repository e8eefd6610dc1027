from bench.contract import Card

CARD = Card(
    key="reste",
    name="ReSTE",
    adapter="algorithms.reste.adapter:ReSTE",
    bits_w=1,
    bits_a=1,
    paper="Wu et al., Estimator Meets Equilibrium Perspective: A Rectified Straight Through Estimator, ICCV 2023",
    year=2023,
    url="https://github.com/DravenALG/ReSTE",
    family="binary",
    provenance=(
        "official code: one scale a layer, through which the gradient flows; conv - ReLU - BN as in its ResNet-20, "
        "whose block has one shortcut. The exponent ends at 3 (recalled; an argument of the script)"
    ),
    start="normal, deviation sqrt(2 / fan-in), as in the official ResNet-20",
    formula="y = BN(ReLU(mean|W| sign(W) * sign(x))), sign' = |x|^((1-o)/o) / o up to |x| = 1.5, o from 1 to 3",
    deploy={"Larq": "", "daBNN": ""},
)
