#include "layer_parts.h"
#include "pool.h"

#include <algorithm>
#include <functional>

namespace bisr {

namespace {

std::size_t cache_lines(std::size_t bytes) { return (bytes + 63) / 64 * 64; }

} // namespace

bool Layer::pointwise() const {
    const Geometry& g = geometry_;
    return g.taps() == 1 && g.stride == 1 && g.pad_h == 0 && g.pad_w == 0;
}

void Layer::run(const Image& image, const Result& result, int threads) const {
    const Geometry& g = geometry_;
    const int out_h = g.out_h(image.h), out_w = g.out_w(image.w);
    const int ring = pointwise() ? 1 : (g.kernel_h - 1) * g.dilation + 1;
    const int row = pointwise() ? kMaxSpan : image.w;
    const int spare = whole_spans_ && !pointwise() ? kMaxSpan * g.stride : 0;
    const std::size_t row_bytes = cache_lines(pixel_bytes_ * (row + 2 * row_padding_ + spare));
    const std::size_t packed_bytes = expands() ? cache_lines(packed_bytes_ * row) : 0;
    const std::size_t sums = g.bases * kMaxSpan * g.padded();
    const std::size_t worker_bytes = ring * row_bytes + packed_bytes + (sums + g.padded()) * sizeof(std::int32_t);
    const AlignedBytes memory(worker_bytes * threads);
    // One item's work, by one worker.
    const auto with_scratch = [&](int worker, const auto& work) {
        unsigned char* rows = memory.data() + worker * worker_bytes;
        unsigned char* packed = rows + ring * row_bytes;
        auto* first_sum = reinterpret_cast<std::int32_t*>(packed + packed_bytes);
        if (enter_ != nullptr) {
            enter_();
        }
        work(Scratch{rows, row_bytes, ring, packed, first_sum, first_sum + sums});
        if (leave_ != nullptr) {
            leave_();
        }
    };

    if (pointwise()) {
        constexpr int kPixelsPerItem = 8 * kMaxSpan;
        const std::size_t total = static_cast<std::size_t>(image.n) * out_h * out_w;
        const int items = static_cast<int>((total + kPixelsPerItem - 1) / kPixelsPerItem);
        parallel_for(threads, items, [&](int item, int worker) {
            const std::size_t first = static_cast<std::size_t>(item) * kPixelsPerItem;
            const auto count = static_cast<int>(std::min<std::size_t>(kPixelsPerItem, total - first));
            with_scratch(worker, [&](const Scratch& scratch) { pixels(image, result, first, count, scratch); });
        });
        return;
    }
    // Strips: several a worker, so that a slow core holds nobody up, but thick against the rows that neighbouring
    // strips both pack.
    const std::vector<Columns> columns = split_columns(image.w, out_w);
    const int even_share = (image.n * out_h + 4 * threads - 1) / (4 * threads);
    const int strip = threads == 1 ? out_h : std::min(out_h, std::max(even_share, 4 * ring));
    const int strips = (out_h + strip - 1) / strip;
    parallel_for(threads, image.n * strips, [&](int item, int worker) {
        const int y0 = item % strips * strip;
        with_scratch(worker, [&](const Scratch& scratch) {
            rows(image, result, columns, item / strips, y0, std::min(y0 + strip, out_h), scratch);
        });
    });
}

std::vector<Layer::Columns> Layer::split_columns(int w, int out_w) const {
    const Geometry& g = geometry_;
    std::vector<Columns> all;
    for (int x = 0; x < out_w; ++x) {
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

void Layer::rows(const Image& image, const Result& result, const std::vector<Columns>& columns, int n, int y0, int y1,
                 const Scratch& scratch) const {
    const Geometry& g = geometry_;
    const int out_h = g.out_h(image.h), out_w = g.out_w(image.w);
    const bool in_place = read_in_place(image);
    const auto packed_row = [&](int row) -> const unsigned char* {
        return in_place ? image.packed + (static_cast<std::size_t>(n) * image.h + row) * image.w * pixel_bytes_
                        : scratch.rows + row % scratch.ring * scratch.row_bytes;
    };
    fill_padding(image.w, scratch);
    Tap taps[kMaxTaps];
    Span span{};
    span.taps = taps;
    span.pixel_stride = pixel_bytes_ * g.stride;
    int packed_until = 0;
    for (int y = y0; y < y1; ++y) {
        const int top = y * g.stride - g.pad_h;
        for (int row = std::max({packed_until, top, 0}); row < std::min(top + scratch.ring, image.h) && !in_place; ++row) {
            fill_row(image, (static_cast<std::size_t>(n) * image.h + row) * image.w, image.w,
                     scratch.rows + row % scratch.ring * scratch.row_bytes + row_padding_ * pixel_bytes_, scratch);
            packed_until = row + 1;
        }
        for (const Columns& run : columns) {
            span.tap_count = 0;
            for (int ky = 0; ky < g.kernel_h; ++ky) {
                const int row = top + ky * g.dilation;
                if (row < 0 || row >= image.h) {
                    continue;
                }
                for (int kx = run.kx_begin; kx < run.kx_end; ++kx) {
                    const int column = run.x * g.stride - g.pad_w + row_padding_ + kx * g.dilation;
                    taps[span.tap_count++] = {packed_row(row) + column * pixel_bytes_, ky * g.kernel_w + kx};
                }
            }
            span.pixels = run.count;
            const std::size_t pixel = (static_cast<std::size_t>(n) * out_h + y) * out_w + run.x;
            finish_span(span, result, pixel, static_cast<std::size_t>(image.n) * out_h * out_w, scratch);
        }
    }
}

void Layer::pixels(const Image& image, const Result& result, std::size_t first, int count,
                   const Scratch& scratch) const {
    const std::size_t total = static_cast<std::size_t>(image.n) * image.h * image.w;
    Tap tap{scratch.rows, 0};
    Span span{};
    span.taps = &tap;
    span.tap_count = 1;
    span.pixel_stride = pixel_bytes_;
    for (int done = 0; done < count; done += kMaxSpan) {
        const std::size_t pixel = first + done;
        span.pixels = std::min(kMaxSpan, count - done);
        if (read_in_place(image)) {
            tap.input = image.packed + pixel * packed_bytes_;
        } else {
            fill_row(image, pixel, span.pixels, scratch.rows, scratch);
        }
        finish_span(span, result, pixel, total, scratch);
    }
}

void Layer::finish_span(Span& span, const Result& result, std::size_t pixel, std::size_t pixels_total,
                        const Scratch& scratch) const {
    const Geometry& g = geometry_;
    const std::size_t padded = g.padded();
    span.taps_total = g.taps();
    span.depth = depth_;
    span.blocks = g.blocks();
    span.offset = g.in_channels * span.tap_count;
    span.start = scratch.start;
    span.groups_per_flush = groups_per_flush_;
    for (int b = 0; b < g.bases; ++b) {
        if (integer_ != nullptr) {
            std::fill_n(scratch.start, padded, 0);
            for (int t = 0; t < span.tap_count; ++t) {
                const std::int32_t* tap = &tap_starts_[(b * g.taps() + span.taps[t].index) * padded];
                std::transform(tap, tap + padded, scratch.start, scratch.start, std::plus<>{});
            }
        }
        span.weights = weights_->data() + b * base_bytes_;
        accumulate_(span, scratch.sums + b * kMaxSpan * padded);
    }
    const std::size_t first = pixel * g.out_channels;
    if (result.sums != nullptr) {
        for (int b = 0; b < g.bases; ++b) {
            std::int32_t* out = result.sums + b * pixels_total * g.out_channels + first;
            for (int p = 0; p < span.pixels; ++p) {
                std::copy_n(scratch.sums + (b * kMaxSpan + p) * padded, g.out_channels, out + p * g.out_channels);
            }
        }
        return;
    }
    EpilogueSpan finish{};
    finish.sums = scratch.sums;
    finish.padded = padded;
    finish.pixels = span.pixels;
    finish.skip = result.skip != nullptr ? result.skip + first : nullptr;
    finish.scale_map = result.scale_map != nullptr ? result.scale_map + pixel : nullptr;
    finish.out = result.out + first;
    float_work_(epilogue_, finish);
    if (result.next != nullptr) {
        result.next->pack(finish.out, span.pixels, result.packed + pixel * result.next->packed_bytes());
    }
}

} // namespace bisr
