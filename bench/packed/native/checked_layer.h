// Layers made from what Python gives; whatever does not fit is refused here.
#pragma once

#include "checked.h"
#include "layer.h"

#include <cstdint>
#include <memory>
#include <string>
#include <utility>

namespace bisr {

// What all kinds of layer share, as it arrives from Python.
struct Common {
    int stride;
    std::pair<int, int> padding;
    int dilation;
    Array<const float, 2> scale;
    MaybeVector bias, pre, slope, post;
    std::string skip;
};

using Words = Array<const std::int64_t, 5>;  // [bases][out_channels][kernel_h][kernel_w][words]
using Weights = Array<const std::int8_t, 5>; // [bases][out_channels][kernel_h][kernel_w][in_channels]
using Flip = Array<const std::int64_t, 1>;   // [words]

// An empty kernel name asks for the fastest.
std::unique_ptr<Layer> binary_layer(const std::string& kernel, const Words& bits, int in_channels,
                                    const Vector& threshold, const Flip& flip, const Common& common);
std::unique_ptr<Layer> sign_integer_layer(const std::string& kernel, const Weights& weights, const Vector& threshold,
                                          const Flip& flip, const Common& common);
std::unique_ptr<Layer> uniform_layer(const std::string& kernel, const Weights& weights, const MaybeVector& shift,
                                     float step, int low, int high, const Common& common);

} // namespace bisr
