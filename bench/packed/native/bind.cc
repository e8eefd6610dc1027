// Python's view of the kernels. Shapes and types are checked here and in checked_layer.cc; below, all is trusted.
#include "chain.h"
#include "checked_layer.h"

#include <nanobind/stl/optional.h>
#include <nanobind/stl/pair.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/tuple.h>
#include <nanobind/stl/unique_ptr.h>
#include <nanobind/stl/vector.h>

#include <algorithm>
#include <optional>
#include <tuple>

namespace nb = nanobind;
using namespace nb::literals;

namespace {

using bisr::Array;
using bisr::binary_layer;
using bisr::Common;
using bisr::Geometry;
using bisr::Layer;
using bisr::MaybeVector;
using bisr::require;
using bisr::require_shape;
using bisr::sign_integer_layer;
using bisr::uniform_layer;

constexpr int kMaxThreads = 256;

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

using Step = std::tuple<const Layer*, int, int>;

std::unique_ptr<bisr::Chain> chain(const std::vector<Step>& steps) {
    std::vector<bisr::ChainStep> all;
    for (const auto& [layer, input, shortcut] : steps) {
        all.push_back({layer, input, shortcut});
    }
    return std::make_unique<bisr::Chain>(std::move(all));
}

bisr::ChainPlan checked_plan(const bisr::Chain& chain, int n, int h, int w, int threads, std::tuple<int, int, int> wish,
                             std::optional<std::pair<std::size_t, std::size_t>> caches) {
    require(threads >= 1 && threads <= kMaxThreads, "threads: expected 1 to " + std::to_string(kMaxThreads));
    require(std::min({n, h, w}) >= 1 && std::max({n, h, w}) <= 1 << 20, "image: expected sides of 1 to 2^20");
    const auto [group, strip, bands] = wish;
    require(std::min({group, strip, bands}) >= 0, "group, strip, bands: expected 0 or more");
    return chain.plan({n, h, w}, threads, {group, strip, bands},
                      caches ? bisr::Caches{caches->first, caches->second} : bisr::caches());
}

void run_chain(const bisr::Chain& chain, const Input& x, const Array<float, 4>& out, const bisr::ChainPlan& plan,
               int threads) {
    const bisr::ChainStep& first = chain.steps().front();
    const bisr::Image image = checked_image(*first.layer, x, threads);
    const std::size_t channels = chain.steps().back().layer->geometry().out_channels;
    require_shape(out, {x.shape(0), x.shape(1), x.shape(2), channels}, "out");
    require(plan.size.n == image.n && plan.size.h == image.h && plan.size.w == image.w && plan.threads == threads &&
                plan.chain == &chain,
            "plan: made for another image, chain or number of threads");
    const nb::gil_scoped_release release;
    chain.run(image.x, out.data(), {image.n, image.h, image.w}, plan, threads);
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
    nb::class_<bisr::ChainPlan>(m, "ChainPlan", "How a chain runs on images of one size.")
        .def_ro("ends", &bisr::ChainPlan::ends, "Steps at which the groups that advance row by row end.")
        .def_ro("strip", &bisr::ChainPlan::strip, "Output columns computed at a time.")
        .def_ro("bands", &bisr::ChainPlan::bands, "Bands of rows.")
        .def_ro("worker_bytes", &bisr::ChainPlan::worker_bytes, "Scratch memory of one thread.")
        .def_prop_ro("between_bytes", &bisr::ChainPlan::between_bytes, "Whole tensors between groups.");
    nb::class_<bisr::Chain>(m, "Chain", "Layers of one spatial size, several of them advancing together row by row.")
        .def("plan", &checked_plan, "n"_a, "h"_a, "w"_a, "threads"_a, "wish"_a = std::make_tuple(0, 0, 0),
             "caches"_a.none() = nb::none(),
             "How to run on such images. wish: longest group, strip, bands, each 0 for what the caches suggest. caches: "
             "bytes of the first and second level, None for this processor's.")
        .def("run", &run_chain, "x"_a.noconvert(), "out"_a.noconvert(), "plan"_a, "threads"_a,
             "Write the last step's output into out. Raises MemoryError before it writes anything.");
    m.def("chain", &chain, "steps"_a, nb::keep_alive<0, 1>(),
          "A chain of (layer, tensor it convolves, tensor it adds or -1); tensor 0 is the input, i + 1 what step i gives.");
    m.def("caches", [] { return std::make_pair(bisr::caches().first, bisr::caches().second); },
          "Bytes of a core's first-level data cache and of its second-level cache.");
    m.def("supported_kernels", &bisr::supported_kernels, "Kernels this processor can run, fastest first.");
    m.def("failed_kernels", &bisr::failed_kernels, "'name (what is wrong)' of kernels that failed their self-check.");
    m.def(
        "select_kernel", [](const std::string& name) { return std::string(bisr::select_kernel(name).name); }, "name"_a,
        "The kernel of this name, or the fastest when it is empty. Checked against 'portable' when first asked for; one "
        "that fails is passed over. Raises ValueError naming the supported ones.");
}
