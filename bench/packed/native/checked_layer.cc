#include "checked_layer.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <limits>

namespace bisr {
namespace {

constexpr int kMaxChannels = 1 << 16;

Geometry checked_geometry(const Common& common, std::size_t bases, std::size_t out_channels, std::size_t in_channels,
                          std::size_t kernel_h, std::size_t kernel_w) {
    const auto within = [](std::size_t value, std::size_t high, const char* name) {
        require(value >= 1 && value <= high,
                std::string(name) + ": got " + std::to_string(value) + ", expected 1 to " + std::to_string(high));
        return static_cast<int>(value);
    };
    const int most = kMaxChannels;
    Geometry geometry{};
    geometry.bases = within(bases, 64, "bases");
    geometry.out_channels = within(out_channels, most, "output channels");
    geometry.in_channels = within(in_channels, most, "input channels");
    geometry.kernel_h = within(kernel_h, kMaxKernel, "kernel rows");
    geometry.kernel_w = within(kernel_w, kMaxKernel, "kernel columns");
    require(common.stride >= 1 && common.stride <= 64, "stride: expected 1 to 64");
    require(common.dilation >= 1 && common.dilation <= 64, "dilation: expected 1 to 64");
    const auto [pad_h, pad_w] = common.padding;
    require(pad_h >= 0 && pad_w >= 0 && pad_h <= 1024 && pad_w <= 1024, "padding: expected 0 to 1024");
    geometry.stride = common.stride;
    geometry.dilation = common.dilation;
    geometry.pad_h = pad_h;
    geometry.pad_w = pad_w;
    return geometry;
}

EpilogueVectors checked_epilogue(const Common& common, const Geometry& geometry) {
    const int channels = geometry.out_channels;
    require_shape(common.scale, {static_cast<std::size_t>(geometry.bases), static_cast<std::size_t>(channels)}, "scale");
    EpilogueVectors vectors;
    vectors.scale.assign(common.scale.data(), common.scale.data() + common.scale.size());
    vectors.bias = copied(common.bias, channels, "bias");
    vectors.pre = copied(common.pre, channels, "pre");
    vectors.slope = copied(common.slope, channels, "slope");
    vectors.post = copied(common.post, channels, "post");
    require(common.skip == "none" || common.skip == "before" || common.skip == "after",
            "skip: got '" + common.skip + "', expected none, before or after");
    vectors.skip = common.skip == "none"     ? Skip::none
                   : common.skip == "before" ? Skip::before
                                             : Skip::after;
    return vectors;
}

SignQuantizer checked_sign(const Vector& threshold, const Flip& flip, const Geometry& geometry) {
    require_shape(flip, {static_cast<std::size_t>(geometry.words())}, "flip");
    const auto* words = reinterpret_cast<const std::uint64_t*>(flip.data());
    return {copied(threshold, geometry.in_channels, "threshold"), {words, words + geometry.words()}};
}

bool tail_is_zero(const std::uint64_t* words, std::size_t count, const Geometry& geometry) {
    const int used = geometry.in_channels % 64;
    const std::uint64_t tail = used == 0 ? 0 : ~std::uint64_t{0} << used;
    const std::size_t per_row = geometry.words();
    for (std::size_t last = per_row - 1; last < count; last += per_row) {
        if ((words[last] & tail) != 0) {
            return false;
        }
    }
    return true;
}

void require_exact_sums(const Geometry& geometry, double largest_input, double largest_weight) {
    const double bound = double(geometry.in_channels) * geometry.taps() * largest_input * largest_weight;
    require(bound <= std::numeric_limits<std::int32_t>::max(), "layer too large: its sums would not fit 32 bits");
}

Geometry weights_geometry(const Weights& weights, const Common& common) {
    return checked_geometry(common, weights.shape(0), weights.shape(1), weights.shape(4), weights.shape(2),
                            weights.shape(3));
}

double largest(const Weights& weights) {
    int most = 0;
    for (std::size_t i = 0; i < weights.size(); ++i) {
        most = std::max(most, std::abs(static_cast<int>(weights.data()[i])));
    }
    return most;
}

} // namespace

std::unique_ptr<Layer> binary_layer(const std::string& kernel, const Words& bits, int in_channels,
                                    const Vector& threshold, const Flip& flip, const Common& common) {
    const Geometry geometry = checked_geometry(common, bits.shape(0), bits.shape(1), std::max(in_channels, 0),
                                               bits.shape(2), bits.shape(3));
    require(bits.shape(4) == static_cast<std::size_t>(geometry.words()), "bits: words do not match the input channels");
    const auto* words = reinterpret_cast<const std::uint64_t*>(bits.data());
    const SignQuantizer input = checked_sign(threshold, flip, geometry);
    require(tail_is_zero(words, bits.size(), geometry), "bits: set beyond the last input channel");
    require(tail_is_zero(input.flip.data(), input.flip.size(), geometry), "flip: set beyond the last input channel");
    require_exact_sums(geometry, 1, 2);
    return std::make_unique<Layer>(select_kernel(kernel), geometry, input, words, checked_epilogue(common, geometry));
}

std::unique_ptr<Layer> sign_integer_layer(const std::string& kernel, const Weights& weights, const Vector& threshold,
                                          const Flip& flip, const Common& common) {
    const Geometry geometry = weights_geometry(weights, common);
    require_exact_sums(geometry, 1, largest(weights));
    return std::make_unique<Layer>(select_kernel(kernel), geometry, checked_sign(threshold, flip, geometry),
                                   weights.data(), checked_epilogue(common, geometry));
}

std::unique_ptr<Layer> uniform_layer(const std::string& kernel, const Weights& weights, const MaybeVector& shift,
                                     float step, int low, int high, const Common& common) {
    const Geometry geometry = weights_geometry(weights, common);
    require(low <= high && low >= -255 && high <= 255 && high - low <= 255,
            "low, high: expected -255 <= low <= high <= 255, at most 256 values");
    require(std::isfinite(step) && step > 0, "step: expected a positive float32");
    require_exact_sums(geometry, std::max(std::abs(low), std::abs(high)), largest(weights));
    UniformQuantizer input{copied(shift, geometry.in_channels, "shift"), step, static_cast<float>(low),
                           static_cast<float>(high)};
    return std::make_unique<Layer>(select_kernel(kernel), geometry, std::move(input), weights.data(),
                                   checked_epilogue(common, geometry));
}

} // namespace bisr
