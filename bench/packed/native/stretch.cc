// A stretch of one output row: spans of equal valid taps, their sums, and their float work.
#include "layer_parts.h"

#include <algorithm>
#include <functional>

namespace bisr {

std::vector<Layer::Columns> Layer::split_columns(int w, int x_begin, int x_end) const {
    const Geometry& g = geometry_;
    std::vector<Columns> all;
    for (int x = x_begin; x < x_end; ++x) {
        const int left = x * g.stride - g.pad_w + row_padding_;
        int begin = 0, end = g.kernel_w;
        while (begin < end && left + begin * g.dilation < 0) {
            ++begin;
        }
        while (end > begin && left + (end - 1) * g.dilation >= w + 2 * row_padding_) {
            --end;
        }
        const bool joins = !all.empty() && all.back().kx_begin == begin && all.back().kx_end == end;
        if (joins && all.back().count < kMaxSpan) {
            ++all.back().count;
        } else {
            all.push_back({x, 1, begin, end});
        }
    }
    return all;
}

int Layer::valid_taps(const Stretch& work, const Columns& run, Tap* taps) const {
    const Geometry& g = geometry_;
    int count = 0;
    for (int ky = 0; ky < g.kernel_h; ++ky) {
        if (work.rows[ky] == nullptr) {
            continue;
        }
        for (int kx = run.kx_begin; kx < run.kx_end; ++kx) {
            const int column = run.x * g.stride - g.pad_w + kx * g.dilation - work.origin;
            taps[count++] = {work.rows[ky] + column * pixel_bytes_, ky * g.kernel_w + kx};
        }
    }
    return count;
}

void Layer::fill_start(const Span& span, int base, int first_block, std::int32_t* start) const {
    const std::size_t count = static_cast<std::size_t>(span.blocks) * kChannelBlock;
    std::fill_n(start, count, 0);
    for (int t = 0; t < span.tap_count; ++t) {
        const std::int32_t* tap = &tap_starts_[(base * geometry_.taps() + span.taps[t].index) * geometry_.padded()] +
                                  static_cast<std::size_t>(first_block) * kChannelBlock;
        std::transform(tap, tap + count, start, start, std::plus<>{});
    }
}

void Layer::block_sums(Span& span, int first_block, std::int32_t* sums) const {
    const Geometry& g = geometry_;
    const std::size_t base_sums = static_cast<std::size_t>(kMaxSpan) * span.blocks * kChannelBlock;
    std::int32_t* start = sums + g.bases * base_sums;
    span.start = start;
    for (int b = 0; b < g.bases; ++b) {
        if (integer_ != nullptr) {
            fill_start(span, b, first_block, start);
        }
        span.weights = weights_->data() + b * base_bytes_ + base_bytes_ / g.blocks() * first_block;
        accumulate_(span, sums + b * base_sums);
    }
}

void Layer::finish_span(const Span& span, const Stretch& work, int first_block, int x, const std::int32_t* sums) const {
    const Geometry& g = geometry_;
    const int first = first_block * kChannelBlock;
    const std::size_t padded = static_cast<std::size_t>(span.blocks) * kChannelBlock;
    const int channels = std::min(static_cast<int>(padded), g.out_channels - first);
    const std::size_t at = static_cast<std::size_t>(x) * g.out_channels + first;
    if (work.sums != nullptr) {
        for (int b = 0; b < g.bases; ++b) {
            for (int p = 0; p < span.pixels; ++p) {
                std::copy_n(sums + (b * kMaxSpan + p) * padded, channels,
                            work.sums + b * work.sums_plane + at + static_cast<std::size_t>(p) * g.out_channels);
            }
        }
        return;
    }
    EpilogueParams params = epilogue_;
    params.channels = channels;
    for (const float** vector : {&params.scale, &params.bias, &params.pre, &params.slope, &params.post}) {
        *vector += first;
    }
    EpilogueSpan finish{};
    finish.sums = sums;
    finish.padded = padded;
    finish.pixels = span.pixels;
    finish.stride = g.out_channels;
    finish.skip = work.skip != nullptr ? work.skip + at : nullptr;
    finish.scale_map = work.scale_map != nullptr ? work.scale_map + x : nullptr;
    finish.out = work.out + at;
    unsigned char* packed = work.next != nullptr ? work.packed + x * work.next->packed_bytes() : nullptr;
    // Words are written whole only where the last of them is.
    const bool with_signs = packed != nullptr && epilogue_signs_ && work.next->binary() && g.blocks() % 2 == 0;
    if (with_signs) {
        const SignQuantizer& sign = work.next->sign_;
        finish.signs = {sign.threshold.data() + first, reinterpret_cast<const unsigned char*>(sign.flip.data()) + first / 8,
                        packed + first / 8, work.next->packed_bytes()};
    }
    float_work_(params, finish);
    if (packed != nullptr && !with_signs && first_block + span.blocks == g.blocks()) {
        work.next->pack(finish.out - first, span.pixels, packed);
    }
}

// Asks for the floats that a span's float work meets, line by line, so that they arrive while the sums are made: the
// epilogue goes through them block by block, an order that no processor foresees.
void Layer::ask_for(const Stretch& work, int x, int pixels) const {
    constexpr std::size_t kLine = 64 / sizeof(float);
    const std::size_t first = static_cast<std::size_t>(x) * geometry_.out_channels;
    const std::size_t count = static_cast<std::size_t>(pixels) * geometry_.out_channels;
    for (std::size_t i = 0; i < count; i += kLine) {
        if (work.skip != nullptr) {
            __builtin_prefetch(work.skip + first + i);
        }
        __builtin_prefetch(work.out + first + i, 1);
    }
}

void Layer::stretch(const Stretch& work, std::int32_t* sums) const {
    const Geometry& g = geometry_;
    Tap taps[kMaxTaps];
    Span span{};
    span.taps = taps;
    span.taps_total = g.taps();
    span.pixel_stride = pixel_bytes_ * g.stride;
    span.depth = depth_;
    span.groups_per_flush = groups_per_flush_;
    for (int block = 0; block < g.blocks(); block += group_blocks_) {
        span.blocks = std::min(group_blocks_, g.blocks() - block);
        for (int i = 0; i < work.spans; ++i) {
            const Columns& run = work.columns[i];
            span.tap_count = valid_taps(work, run, taps);
            span.offset = g.in_channels * span.tap_count;
            span.pixels = run.count;
            if (work.far && work.out != nullptr && block == 0) {
                ask_for(work, run.x - work.columns[0].x, run.count);
            }
            block_sums(span, block, sums);
            finish_span(span, work, block, run.x - work.columns[0].x, sums);
        }
    }
}

} // namespace bisr
