// Python's view of the kernels, and the only place that checks shapes and types: below it everything is trusted.
#include "checked.h"
#include "layer.h"

#include <nanobind/stl/optional.h>
#include <nanobind/stl/pair.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/unique_ptr.h>
#include <nanobind/stl/vector.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <limits>
#include <optional>

namespace nb = nanobind;
using namespace nb::literals;

namespace {

using bisr::Array;
using bisr::copied;
using bisr::Geometry;
using bisr::Layer;
using bisr::MaybeVector;
using bisr::require;
using bisr::require_shape;
using bisr::Vector;

constexpr int kMaxThreads = 256;
constexpr int kMaxChannels = 1 << 16;

// What both kinds of layer share, as it arrives from Python.
struct Common {
    int stride;
    std::pair<int, int> padding;
    int dilation;
    Array<const float, 2> scale;
    MaybeVector bias, pre, slope, post;
    std::string skip;
};

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
    geometry.kernel_h = within(kernel_h, bisr::kMaxKernel, "kernel rows");
    geometry.kernel_w = within(kernel_w, bisr::kMaxKernel, "kernel columns");
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

bisr::EpilogueVectors checked_epilogue(const Common& common, const Geometry& geometry) {
    const int channels = geometry.out_channels;
    require_shape(common.scale, {static_cast<std::size_t>(geometry.bases), static_cast<std::size_t>(channels)}, "scale");
    bisr::EpilogueVectors vectors;
    vectors.scale.assign(common.scale.data(), common.scale.data() + common.scale.size());
    vectors.bias = copied(common.bias, channels, "bias");
    vectors.pre = copied(common.pre, channels, "pre");
    vectors.slope = copied(common.slope, channels, "slope");
    vectors.post = copied(common.post, channels, "post");
    require(common.skip == "none" || common.skip == "before" || common.skip == "after",
            "skip: got '" + common.skip + "', expected none, before or after");
    vectors.skip = common.skip == "none"     ? bisr::Skip::none
                   : common.skip == "before" ? bisr::Skip::before
                                             : bisr::Skip::after;
    return vectors;
}

bisr::SignQuantizer checked_sign(const Vector& threshold, const Array<const std::int64_t, 1>& flip,
                                 const Geometry& geometry) {
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

std::unique_ptr<Layer> binary_layer(const std::string& kernel, const Array<const std::int64_t, 5>& bits, int in_channels,
                                    const Vector& threshold, const Array<const std::int64_t, 1>& flip,
                                    const Common& common) {
    const Geometry geometry = checked_geometry(common, bits.shape(0), bits.shape(1), std::max(in_channels, 0),
                                               bits.shape(2), bits.shape(3));
    require(bits.shape(4) == static_cast<std::size_t>(geometry.words()), "bits: words do not match the input channels");
    const auto* words = reinterpret_cast<const std::uint64_t*>(bits.data());
    const bisr::SignQuantizer input = checked_sign(threshold, flip, geometry);
    require(tail_is_zero(words, bits.size(), geometry), "bits: set beyond the last input channel");
    require(tail_is_zero(input.flip.data(), input.flip.size(), geometry), "flip: set beyond the last input channel");
    require_exact_sums(geometry, 1, 2);
    return std::make_unique<Layer>(bisr::select_kernel(kernel), geometry, input, words,
                                   checked_epilogue(common, geometry));
}

using Weights = Array<const std::int8_t, 5>; // [bases][out_channels][kernel_h][kernel_w][in_channels]

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

std::unique_ptr<Layer> sign_integer_layer(const std::string& kernel, const Weights& weights, const Vector& threshold,
                                          const Array<const std::int64_t, 1>& flip, const Common& common) {
    const Geometry geometry = weights_geometry(weights, common);
    require_exact_sums(geometry, 1, largest(weights));
    return std::make_unique<Layer>(bisr::select_kernel(kernel), geometry, checked_sign(threshold, flip, geometry),
                                   weights.data(), checked_epilogue(common, geometry));
}

std::unique_ptr<Layer> uniform_layer(const std::string& kernel, const Weights& weights, const MaybeVector& shift,
                                     float step, int low, int high, const Common& common) {
    const Geometry geometry = weights_geometry(weights, common);
    require(low <= high && low >= -255 && high <= 255 && high - low <= 255,
            "low, high: expected -255 <= low <= high <= 255, at most 256 values");
    require(std::isfinite(step) && step > 0, "step: expected a positive float32");
    require_exact_sums(geometry, std::max(std::abs(low), std::abs(high)), largest(weights));
    bisr::UniformQuantizer input{copied(shift, geometry.in_channels, "shift"), step, static_cast<float>(low),
                                 static_cast<float>(high)};
    return std::make_unique<Layer>(bisr::select_kernel(kernel), geometry, std::move(input), weights.data(),
                                   checked_epilogue(common, geometry));
}

using Input = Array<const float, 4>; // [n][h][w][in_channels]

bisr::Image checked_image(const Layer& layer, const Input& x, int threads) {
    require(threads >= 1 && threads <= kMaxThreads, "threads: expected 1 to " + std::to_string(kMaxThreads));
    constexpr std::size_t kMost = 1 << 20;
    require(x.shape(0) <= kMost && x.shape(1) <= kMost && x.shape(2) <= kMost, "input: larger than 2^20 along an axis");
    const auto n = static_cast<int>(x.shape(0)), h = static_cast<int>(x.shape(1)), w = static_cast<int>(x.shape(2));
    const std::size_t channels = layer.geometry().in_channels;
    require_shape(x, {x.shape(0), x.shape(1), x.shape(2), channels}, "input");
    require(layer.geometry().out_h(h) >= 1 && layer.geometry().out_w(w) >= 1,
            "input: the padded image is smaller than the kernel");
    return {x.data(), n, h, w};
}

template <typename Byte>
Byte* checked_packed(const Layer& layer, const Array<Byte, 4>& packed, const std::vector<std::size_t>& pixels) {
    require(layer.binary(), "packed: only layers with signs on both sides are given bits");
    require_shape(packed, {pixels[0], pixels[1], pixels[2], layer.packed_bytes()}, "packed");
    require(reinterpret_cast<std::uintptr_t>(packed.data()) % sizeof(std::uint64_t) == 0, "packed: not aligned");
    return packed.data();
}

void run(const Layer& layer, const Input& x, const Array<float, 4>& out, const std::optional<Input>& skip,
         const std::optional<Array<const float, 3>>& scale_map, int threads,
         const std::optional<Array<const std::uint8_t, 4>>& packed, const Layer* next,
         const std::optional<Array<std::uint8_t, 4>>& packed_next) {
    bisr::Image image = checked_image(layer, x, threads);
    if (packed) {
        image.packed = checked_packed(layer, *packed, {x.shape(0), x.shape(1), x.shape(2)});
    }
    const Geometry& g = layer.geometry();
    const std::size_t n = x.shape(0), h = g.out_h(image.h), w = g.out_w(image.w), channels = g.out_channels;
    bisr::Result result;
    require_shape(out, {n, h, w, channels}, "out");
    result.out = out.data();
    require(skip.has_value() == (layer.skip() != bisr::Skip::none), "skip: given to a layer without one, or missing");
    if (skip) {
        require_shape(*skip, {n, h, w, channels}, "skip");
        result.skip = skip->data();
    }
    if (scale_map) {
        require_shape(*scale_map, {n, h, w}, "scale_map");
        result.scale_map = scale_map->data();
    }
    require((next != nullptr) == packed_next.has_value(), "next, packed_next: one given without the other");
    if (next != nullptr) {
        require(next->geometry().in_channels == g.out_channels, "next: does not take this layer's channels");
        result.next = next;
        result.packed = checked_packed(*next, *packed_next, {n, h, w});
    }
    const nb::gil_scoped_release release;
    layer.run(image, result, threads);
}

void accumulators(const Layer& layer, const Input& x, const Array<std::int32_t, 5>& out, int threads) {
    const bisr::Image image = checked_image(layer, x, threads);
    const Geometry& g = layer.geometry();
    require_shape(out,
                  {static_cast<std::size_t>(g.bases), x.shape(0), static_cast<std::size_t>(g.out_h(image.h)),
                   static_cast<std::size_t>(g.out_w(image.w)), static_cast<std::size_t>(g.out_channels)},
                  "out");
    bisr::Result result;
    result.sums = out.data();
    const nb::gil_scoped_release release;
    layer.run(image, result, threads);
}

} // namespace

NB_MODULE(_native, m) {
    m.doc() = "Kernels of the packed runtime. Arrays are C-contiguous; images are NHWC float32.";
    m.attr("sources_sha256") = BISR_SOURCES;

    nb::class_<Common>(m, "Common", "Geometry and epilogue of a layer; absent vectors leave their step out.")
        .def(
            "__init__",
            [](Common* self, int stride, std::pair<int, int> padding, int dilation, const Array<const float, 2>& scale,
               const MaybeVector& bias, const MaybeVector& pre, const MaybeVector& slope, const MaybeVector& post,
               const std::string& skip) {
                new (self) Common{stride, padding, dilation, scale, bias, pre, slope, post, skip};
            },
            nb::kw_only(), "stride"_a, "padding"_a, "dilation"_a, "scale"_a.noconvert(), "bias"_a.noconvert().none(),
            "pre"_a.noconvert().none(), "slope"_a.noconvert().none(), "post"_a.noconvert().none(), "skip"_a);

    nb::class_<Layer>(m, "Layer", "One packed layer, prepared for one kernel.")
        .def_prop_ro("kernel", &Layer::kernel_name, "Name of the kernel that runs this layer.")
        .def(
            "output_size",
            [](const Layer& layer, int h, int w) {
                return std::make_pair(layer.geometry().out_h(h), layer.geometry().out_w(w));
            },
            "h"_a, "w"_a, "(rows, columns) of the output; 0 where the padded image is smaller than the kernel.")
        .def("run", &run, "x"_a.noconvert(), "out"_a.noconvert(), "skip"_a.noconvert().none(),
             "scale_map"_a.noconvert().none(), "threads"_a, "packed"_a.noconvert().none() = nb::none(),
             "next"_a.none() = nb::none(), "packed_next"_a.noconvert().none() = nb::none(),
             "Write the layer's output into out. packed: uint8 [n, h, w, packed_bytes], the bits of x, read in place "
             "of x. next, packed_next: the binary layer that reads out, and where the bits for it go.")
        .def_prop_ro("packed_bytes", &Layer::packed_bytes, "Bytes of one pixel of the packed input.")
        .def("accumulators", &accumulators, "x"_a.noconvert(), "out"_a.noconvert(), "threads"_a,
             "Write int32 [bases, n, h, w, channels], before any float work, into out.");

    m.def("binary_layer", &binary_layer, "kernel"_a, "bits"_a.noconvert(), "in_channels"_a, "threshold"_a.noconvert(),
          "flip"_a.noconvert(), "common"_a, "Signs on both sides; bits int64 [bases, Co, kh, kw, words].");
    m.def("sign_integer_layer", &sign_integer_layer, "kernel"_a, "weights"_a.noconvert(), "threshold"_a.noconvert(),
          "flip"_a.noconvert(), "common"_a, "Sign input, integer weights int8 [bases, Co, kh, kw, Ci].");
    m.def("uniform_layer", &uniform_layer, "kernel"_a, "weights"_a.noconvert(), "shift"_a.noconvert().none(), "step"_a,
          "low"_a, "high"_a, "common"_a, "Integer input, integer weights int8 [bases, Co, kh, kw, Ci].");
    m.def("supported_kernels", &bisr::supported_kernels, "Kernels this processor can run, fastest first.");
    m.def("failed_kernels", &bisr::failed_kernels, "'name (what is wrong)' of kernels that failed their self-check.");
    m.def(
        "select_kernel", [](const std::string& name) { return std::string(bisr::select_kernel(name).name); }, "name"_a,
        "The kernel of this name, or the fastest when it is empty. Checked against 'portable' when first asked for; one "
        "that fails is passed over. Raises ValueError naming the supported ones.");
}
