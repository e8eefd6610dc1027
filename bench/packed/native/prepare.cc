// Builds a layer: chooses its operations and lays weights and epilogue out for them.
#include "caches.h"
#include "layer.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <limits>

namespace bisr {

AlignedBytes::AlignedBytes(std::size_t size)
    : bytes_(static_cast<unsigned char*>(::operator new[](size, std::align_val_t{64}))) {
    std::memset(bytes_.get(), 0, size);
}

Layer::Layer(const Kernel& kernel, const Geometry& geometry, SignQuantizer input, const std::uint64_t* bits,
             EpilogueVectors epilogue)
    : geometry_(geometry), binary_(kernel.binary), accumulate_(kernel.binary->accumulate), float_work_(kernel.epilogue),
      signs_(true), sign_(std::move(input)), depth_(geometry.words()),
      pixel_bytes_(geometry.words() * kernel.binary->word_bytes),
      packed_bytes_(geometry.words() * sizeof(std::uint64_t)),
      base_bytes_(static_cast<std::size_t>(geometry.blocks()) * geometry.taps() * geometry.words() *
                  kernel.binary->unit_bytes) {
    weights_ = std::make_unique<AlignedBytes>(base_bytes_ * geometry_.bases);
    const std::size_t words = static_cast<std::size_t>(geometry_.out_channels) * geometry_.taps() * geometry_.words();
    for (int b = 0; b < geometry_.bases; ++b) {
        binary_->prepare(bits + b * words, geometry_.out_channels, geometry_.taps(), geometry_.words(),
                         weights_->data() + b * base_bytes_);
    }
    set_kernel(kernel, binary_->whole_spans);
    set_epilogue(epilogue);
}

Layer::Layer(const Kernel& kernel, const Geometry& geometry, UniformQuantizer input, const std::int8_t* weights,
             EpilogueVectors epilogue)
    : geometry_(geometry), float_work_(kernel.epilogue), signs_(false), uniform_(std::move(input)) {
    choose_integer_ops(kernel, weights);
    prepare_integer(weights);
    set_kernel(kernel, integer_->whole_spans);
    set_epilogue(epilogue);
}

Layer::Layer(const Kernel& kernel, const Geometry& geometry, SignQuantizer input, const std::int8_t* weights,
             EpilogueVectors epilogue)
    : Layer(kernel, geometry, UniformQuantizer{{}, 1.0f, -1.0f, 1.0f}, weights, std::move(epilogue)) {
    sign_ = std::move(input);
    signs_ = true;
}

void Layer::choose_integer_ops(const Kernel& kernel, const std::int8_t* weights) {
    constexpr int kWorthwhile = 4; // groups per flush below which flushing costs more than the narrow lanes save
    const Geometry& g = geometry_;
    const int input_span = std::max(1, static_cast<int>(uniform_.high - uniform_.low));
    integer_ = kernel.integer;
    if (kernel.narrow != nullptr) {
        const std::size_t count = static_cast<std::size_t>(g.bases) * g.out_channels * g.taps() * g.in_channels;
        int largest = 1;
        for (std::size_t i = 0; i < count; ++i) {
            largest = std::max(largest, std::abs(static_cast<int>(weights[i])));
        }
        groups_per_flush_ = kernel.narrow->sum_limit / (2 * input_span * largest);
        if (groups_per_flush_ >= kWorthwhile) {
            integer_ = kernel.narrow;
        }
    }
    if (integer_->most > 0) {
        // Inputs move into the range of a byte. Lying within [low, high], the shift adds no larger sums.
        zero_ = static_cast<int>(uniform_.low) + std::max(0, input_span - integer_->most);
    }
    accumulate_ = integer_->accumulate;
    depth_ = (g.in_channels + integer_->group - 1) / integer_->group;
    pixel_bytes_ = packed_bytes_ = static_cast<std::size_t>(depth_) * integer_->group_bytes;
    base_bytes_ = static_cast<std::size_t>(g.blocks()) * g.taps() * depth_ * kChannelBlock * integer_->group_bytes;
}

void Layer::prepare_integer(const std::int8_t* weights) {
    const Geometry& g = geometry_;
    weights_ = std::make_unique<AlignedBytes>(base_bytes_ * g.bases);
    tap_starts_.assign(g.bases * g.taps() * g.padded(), 0);
    for (int b = 0; b < g.bases; ++b) {
        integer_->prepare(weights, g.out_channels, g.taps(), g.in_channels, weights_->data() + b * base_bytes_);
        for (int co = 0; co < g.out_channels; ++co) {
            for (int tap = 0; tap < g.taps(); ++tap) {
                std::int32_t& start = tap_starts_[(b * g.taps() + tap) * g.padded() + co];
                for (int ci = 0; ci < g.in_channels; ++ci) {
                    start += zero_ * *weights++;
                }
            }
        }
    }
}

void Layer::set_kernel(const Kernel& kernel, bool whole_spans) {
    enter_ = kernel.enter;
    leave_ = kernel.leave;
    whole_spans_ = whole_spans;
    const bool holds_zero = binary_ != nullptr || (uniform_.low <= 0 && uniform_.high >= 0);
    row_padding_ = whole_spans && holds_zero ? geometry_.pad_w : 0;
    epilogue_signs_ = kernel.epilogue_signs;
    // A little more than half of the cache; kernels without tiles read two blocks in one go.
    const std::size_t block_bytes = weight_bytes() / geometry_.blocks(), room = caches().first / 8 * 5;
    const int least = whole_spans ? 1 : 2;
    group_blocks_ = std::min(geometry_.blocks(), std::max(least, static_cast<int>(room / block_bytes)));
    // NaN: signs of channels that do not exist are 0.
    if (binary_ != nullptr) {
        sign_.threshold.resize(geometry_.words() * 64, std::numeric_limits<float>::quiet_NaN());
    }
}

void Layer::set_epilogue(const EpilogueVectors& vectors) {
    const std::size_t padded = geometry_.padded();
    const int channels = geometry_.out_channels, bases = geometry_.bases;
    vectors_.resize((bases + 4) * padded);
    float* next = vectors_.data();
    const auto append = [&](const float* values, float neutral) {
        float* const start = next;
        std::fill_n(start, padded, neutral);
        if (values != nullptr) {
            std::copy_n(values, channels, start);
        }
        next += padded;
        return start;
    };
    const auto given = [](const std::vector<float>& values) { return values.empty() ? nullptr : values.data(); };
    epilogue_.bases = bases;
    epilogue_.channels = channels;
    epilogue_.scale_plane = padded;
    epilogue_.scale = next;
    for (int b = 0; b < bases; ++b) {
        append(vectors.scale.data() + static_cast<std::size_t>(b) * channels, 0.0f);
    }
    epilogue_.bias = append(given(vectors.bias), -0.0f);
    epilogue_.pre = append(given(vectors.pre), -0.0f);
    epilogue_.slope = append(given(vectors.slope), 1.0f);
    epilogue_.post = append(given(vectors.post), -0.0f);
    epilogue_.skip = vectors.skip;
}

} // namespace bisr
