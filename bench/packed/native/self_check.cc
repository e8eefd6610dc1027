#include "self_check.h"

#include "layer.h"

#include <cstring>
#include <random>

namespace bisr {
namespace {

struct Case {
    const char* what;
    Geometry geometry;
    int weight_bits; // 1: signs on both sides
    int low, high;   // of an integer input; both 0: a sign
    Skip skip;
};

// Channels beyond one word and one block, more columns than a span holds, every kind of input.
const Case kCases[] = {
    {"a binary 3x3 layer", {70, 40, 2, 3, 3, 1, 1, 1, 1}, 1, 0, 0, Skip::after},
    {"a binary 1x1 layer", {64, 64, 1, 1, 1, 1, 0, 0, 1}, 1, 0, 0, Skip::none},
    {"a binary layer of stride 2", {33, 65, 1, 3, 3, 2, 1, 1, 1}, 1, 0, 0, Skip::none},
    {"a 2-bit layer", {70, 40, 1, 3, 3, 1, 1, 1, 1}, 2, 0, 3, Skip::before},
    {"a 4-bit layer", {60, 33, 2, 3, 3, 1, 1, 1, 1}, 4, -8, 7, Skip::none},
    {"an 8-bit layer", {65, 40, 1, 3, 3, 1, 1, 1, 1}, 8, 0, 255, Skip::none},
    {"a layer of signs and 4-bit weights", {66, 32, 1, 3, 3, 1, 1, 1, 1}, 4, 0, 0, Skip::none},
};
constexpr int kHeight = 4, kWidth = 37;

class Draws {
  public:
    int integer(int low, int high) { return low + static_cast<int>(engine_() % static_cast<unsigned>(high - low + 1)); }
    // Multiples of 1/16 within +-2: equality with a threshold occurs.
    std::vector<float> floats(std::size_t count) {
        std::vector<float> values(count);
        for (float& value : values) {
            value = static_cast<float>(integer(-32, 32)) / 16.0f;
        }
        return values;
    }

  private:
    std::minstd_rand engine_{1};
};

std::unique_ptr<Layer> build(const Kernel& kernel, const Case& c, Draws draws) {
    const Geometry& g = c.geometry;
    const std::size_t channels = g.out_channels;
    EpilogueVectors vectors{draws.floats(g.bases * channels), draws.floats(channels), draws.floats(channels),
                            draws.floats(channels),           draws.floats(channels), c.skip};
    SignQuantizer sign{draws.floats(g.in_channels), std::vector<std::uint64_t>(g.words(), 5)};
    const std::size_t rows = static_cast<std::size_t>(g.bases) * channels * g.taps();
    if (c.weight_bits == 1) {
        std::vector<std::uint64_t> bits(rows * g.words());
        for (std::size_t i = 0; i < rows * g.in_channels; ++i) {
            const std::size_t channel = i % g.in_channels;
            bits[i / g.in_channels * g.words() + channel / 64] |= std::uint64_t(draws.integer(0, 1)) << channel % 64;
        }
        return std::make_unique<Layer>(kernel, g, sign, bits.data(), vectors);
    }
    std::vector<std::int8_t> weights(rows * g.in_channels);
    const int bound = 1 << (c.weight_bits - 1);
    for (std::int8_t& weight : weights) {
        weight = static_cast<std::int8_t>(draws.integer(-bound, bound - 1));
    }
    if (c.low == c.high) {
        return std::make_unique<Layer>(kernel, g, sign, weights.data(), vectors);
    }
    UniformQuantizer uniform{draws.floats(g.in_channels), 3.0f / static_cast<float>(c.high - c.low),
                             static_cast<float>(c.low), static_cast<float>(c.high)};
    return std::make_unique<Layer>(kernel, g, std::move(uniform), weights.data(), vectors);
}

std::vector<float> output(const Kernel& kernel, const Case& c) {
    const Geometry& g = c.geometry;
    const std::unique_ptr<Layer> layer = build(kernel, c, Draws());
    Draws draws;
    const std::vector<float> x = draws.floats(static_cast<std::size_t>(kHeight) * kWidth * g.in_channels);
    const std::size_t pixels = static_cast<std::size_t>(g.out_h(kHeight)) * g.out_w(kWidth);
    const std::vector<float> skip = draws.floats(pixels * g.out_channels), map = draws.floats(pixels);
    std::vector<float> out(pixels * g.out_channels);
    Result result;
    result.skip = c.skip == Skip::none ? nullptr : skip.data();
    result.scale_map = map.data();
    result.out = out.data();
    layer->run({x.data(), 1, kHeight, kWidth}, result, 1);
    return out;
}

} // namespace

std::string self_check(const Kernel& kernel, const Kernel& reference) {
    for (const Case& c : kCases) {
        const std::vector<float> expected = output(reference, c), got = output(kernel, c);
        if (std::memcmp(expected.data(), got.data(), expected.size() * sizeof(float)) != 0) {
            return std::string(c.what) + " differs from the portable kernel's";
        }
    }
    return "";
}

} // namespace bisr
