#include "layer_parts.h"
#include "pool.h"

#include <algorithm>

namespace bisr {

namespace {

constexpr int kPixelsPerItem = 8 * kMaxSpan; // of layers that are no more than a product a pixel

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
    const int row = pointwise() ? kPixelsPerItem : image.w;
    const int spare = whole_spans_ ? kMaxSpan * g.stride : 0;
    const std::size_t row_bytes = cache_lines(pixel_bytes_ * (row + 2 * row_padding_ + spare));
    const std::size_t packed_bytes = expands() ? cache_lines(packed_bytes_ * row) : 0;
    const std::size_t worker_bytes = ring * row_bytes + packed_bytes + sum_count() * sizeof(std::int32_t);
    const AlignedBytes memory(worker_bytes * threads);
    // One item's work, by one worker.
    const auto with_scratch = [&](int worker, const auto& work) {
        unsigned char* rows = memory.data() + worker * worker_bytes;
        unsigned char* packed = rows + ring * row_bytes;
        enter();
        work(Scratch{rows, row_bytes, ring, packed, reinterpret_cast<std::int32_t*>(packed + packed_bytes)});
        leave();
    };

    if (pointwise()) {
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
    const std::vector<Columns> columns = split_columns(image.w, 0, out_w);
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

void Layer::Stretch::aim(const Layer& layer, const Result& result, std::size_t pixel, std::size_t pixels_total) {
    const std::size_t channels = layer.geometry_.out_channels, first = pixel * channels;
    skip = result.skip != nullptr ? result.skip + first : nullptr;
    scale_map = result.scale_map != nullptr ? result.scale_map + pixel : nullptr;
    out = result.out != nullptr ? result.out + first : nullptr;
    sums = result.sums != nullptr ? result.sums + first : nullptr;
    sums_plane = pixels_total * channels;
    far = true;
    next = result.next;
    packed = next != nullptr ? result.packed + pixel * next->packed_bytes() : nullptr;
}

void Layer::rows(const Image& image, const Result& result, const std::vector<Columns>& columns, int n, int y0, int y1,
                 const Scratch& scratch) const {
    const Geometry& g = geometry_;
    const int out_h = g.out_h(image.h), out_w = g.out_w(image.w);
    const bool in_place = read_in_place(image);
    const std::size_t first_row = static_cast<std::size_t>(n) * image.h, side = row_padding_ * pixel_bytes_;
    const auto packed_row = [&](int row) -> const unsigned char* {
        return in_place ? image.packed + (first_row + row) * image.w * pixel_bytes_
                        : scratch.rows + row % scratch.ring * scratch.row_bytes;
    };
    for (int row = 0; row < scratch.ring && side > 0; ++row) {
        fill_padding(scratch.rows + row * scratch.row_bytes);
        fill_padding(scratch.rows + row * scratch.row_bytes + side + image.w * pixel_bytes_);
    }
    Stretch work{};
    work.origin = -row_padding_;
    work.columns = columns.data();
    work.spans = static_cast<int>(columns.size());
    int packed_until = 0;
    for (int y = y0; y < y1; ++y) {
        const int top = y * g.stride - g.pad_h;
        for (int row = std::max({packed_until, top, 0}); row < std::min(top + scratch.ring, image.h) && !in_place; ++row) {
            fill_row(image, (first_row + row) * image.w, image.w, scratch.rows + row % scratch.ring * scratch.row_bytes + side,
                     scratch);
            packed_until = row + 1;
        }
        for (int ky = 0; ky < g.kernel_h; ++ky) {
            const int row = top + ky * g.dilation;
            work.rows[ky] = row < 0 || row >= image.h ? nullptr : packed_row(row);
        }
        work.aim(*this, result, (static_cast<std::size_t>(n) * out_h + y) * out_w,
                 static_cast<std::size_t>(image.n) * out_h * out_w);
        stretch(work, scratch.sums);
    }
}

void Layer::pixels(const Image& image, const Result& result, std::size_t first, int count,
                   const Scratch& scratch) const {
    const std::size_t total = static_cast<std::size_t>(image.n) * image.h * image.w;
    Columns columns[kPixelsPerItem / kMaxSpan];
    Stretch work{};
    work.columns = columns;
    for (int x = 0; x < count; x += kMaxSpan) {
        columns[work.spans++] = {x, std::min(kMaxSpan, count - x), 0, 1};
    }
    if (read_in_place(image)) {
        work.rows[0] = image.packed + first * packed_bytes_;
    } else {
        work.rows[0] = scratch.rows;
        fill_row(image, first, count, scratch.rows, scratch);
    }
    work.aim(*this, result, first, total);
    stretch(work, scratch.sums);
}

} // namespace bisr
