#include "chain_group.h"

#include <algorithm>

namespace bisr {
namespace {

std::size_t lines(std::size_t bytes) { return (bytes + 63) / 64 * 64; }

Reach radius(const Layer& layer) {
    const Geometry& g = layer.geometry();
    return {g.dilation * (g.kernel_h / 2), g.dilation * (g.kernel_w / 2)};
}

void widen(Reach& reach, const Reach& by, const Reach& more) {
    reach.rows = std::max(reach.rows, by.rows + more.rows);
    reach.columns = std::max(reach.columns, by.columns + more.columns);
}

} // namespace

ChainGroup::ChainGroup(const std::vector<ChainStep>& steps, int begin, int end) {
    tensors_.push_back({steps[begin].layer->geometry().in_channels, 0, {0, 0}, 1, {}});
    for (int i = begin; i < end; ++i) {
        const ChainStep& step = steps[i];
        const int shortcut = step.shortcut < 0 ? -1 : step.shortcut - begin;
        stages_.push_back({step.layer, step.input - begin, shortcut, 0});
        Stage& stage = stages_.back();
        const int rows = radius(*step.layer).rows, behind = tensors_[stage.input].delay;
        // The group's input lies in memory whole: its rows may be added at any time.
        const int delay = std::max(behind + rows, shortcut > 0 ? tensors_[shortcut].delay : 0);
        stage.ring = delay - behind + rows + 1;
        tensors_[stage.input].readers.push_back(i - begin);
        if (shortcut > 0) {
            Tensor& added = tensors_[shortcut];
            added.kept = std::max(added.kept, delay - added.delay + 1);
        }
        tensors_.push_back({step.layer->geometry().out_channels, delay, {0, 0}, 1, {}});
    }
    for (int i = static_cast<int>(stages_.size()) - 1; i >= 0; --i) {
        const Reach own = tensors_[i + 1].reach;
        widen(tensors_[stages_[i].input].reach, own, radius(*stages_[i].layer));
        if (stages_[i].shortcut >= 0) {
            widen(tensors_[stages_[i].shortcut].reach, own, {0, 0});
        }
    }
}

std::vector<ChainGroup::Place> ChainGroup::places(int w, int strip, std::size_t* total) const {
    std::vector<Place> all;
    std::size_t at = 0;
    const auto take = [&at](std::size_t bytes) {
        const std::size_t start = at;
        at += lines(bytes);
        return start;
    };
    const auto width = [&](const Tensor& tensor) { return std::min(w, strip + 2 * tensor.reach.columns); };
    for (std::size_t i = 0; i < stages_.size(); ++i) {
        const Layer& layer = *stages_[i].layer;
        const std::size_t pixels = width(tensors_[stages_[i].input]);
        const std::size_t spare = 2 * layer.row_padding() + (layer.whole_spans() ? kMaxSpan : 0);
        Place place{};
        place.row_bytes = lines((pixels + spare) * layer.pixel_bytes());
        place.rows = take(place.row_bytes * stages_[i].ring);
        place.words = take(layer.expands() ? pixels * layer.packed_bytes() : 0);
        const Tensor& output = tensors_[i + 1];
        place.row_floats = static_cast<std::size_t>(width(output)) * output.channels;
        const bool last = i + 1 == stages_.size();
        place.floats = take(last ? 0 : place.row_floats * output.kept * sizeof(float));
        all.push_back(place);
    }
    std::size_t sums = 0;
    for (const Stage& stage : stages_) {
        sums = std::max(sums, stage.layer->sum_count());
    }
    take(sums * sizeof(std::int32_t));
    *total = at;
    all.push_back({at - lines(sums * sizeof(std::int32_t)), 0, 0, 0, 0});
    return all;
}

std::size_t ChainGroup::bytes(int w, int strip) const {
    std::size_t total = 0;
    places(w, strip, &total);
    return total;
}

std::size_t ChainGroup::weight_bytes() const {
    std::size_t total = 0;
    for (const Stage& stage : stages_) {
        total += stage.layer->weight_bytes();
    }
    return total;
}

double ChainGroup::overlap(const ImageSize& size, int strip, int bands) const {
    const double rows = static_cast<double>(size.h) / bands;
    double with = 0, without = 0;
    for (std::size_t i = 0; i < stages_.size(); ++i) {
        const Geometry& g = stages_[i].layer->geometry();
        const Reach& reach = tensors_[i + 1].reach;
        const double work = static_cast<double>(g.taps()) * g.in_channels * g.out_channels * g.bases;
        const double columns = strip < size.w ? 2.0 * reach.columns / strip : 0;
        without += work;
        with += work * (1 + columns) * (1 + (bands > 1 ? 2.0 * reach.rows / rows : 0));
    }
    return with / without;
}

// One part of the group's output, from its first row to its last.
class ChainGroup::Walk {
  public:
    Walk(const ChainGroup& group, const float* x, float* out, const ImageSize& size, int strip, const Part& part,
         unsigned char* memory)
        : stages_(group.stages_), tensors_(group.tensors_), x_(x), out_(out), size_(size), part_(part),
          memory_(memory) {
        std::size_t total = 0;
        places_ = group.places(size.w, strip, &total);
        for (const Tensor& tensor : tensors_) {
            rows_.push_back({std::max(0, part.y0 - tensor.reach.rows), std::min(size.h, part.y1 + tensor.reach.rows)});
            columns_.push_back(
                {std::max(0, part.x0 - tensor.reach.columns), std::min(size.w, part.x1 + tensor.reach.columns)});
        }
        for (std::size_t i = 0; i < stages_.size(); ++i) {
            const Range& range = columns_[i + 1];
            spans_.push_back(stages_[i].layer->split_columns(size.w, range.begin, range.end));
            pad(static_cast<int>(i));
        }
    }

    void go() {
        for (int t = rows_[0].begin; t < part_.y1 + tensors_.back().delay; ++t) {
            if (t < rows_[0].end) {
                for (const int reader : tensors_[0].readers) {
                    fill(reader, t, pixel(0, t));
                }
            }
            for (int i = 0; i < static_cast<int>(stages_.size()); ++i) {
                const int y = t - tensors_[i + 1].delay;
                if (y >= rows_[i + 1].begin && y < rows_[i + 1].end) {
                    advance(i, y);
                }
            }
        }
    }

  private:
    // First computed pixel of row y of a tensor.
    float* pixel(int tensor, int y) const {
        const int last = static_cast<int>(tensors_.size()) - 1;
        if (tensor > 0 && tensor < last) {
            const Place& place = places_[tensor - 1];
            return reinterpret_cast<float*>(memory_ + place.floats) + y % tensors_[tensor].kept * place.row_floats;
        }
        const std::size_t at = (static_cast<std::size_t>(part_.n) * size_.h + y) * size_.w + columns_[tensor].begin;
        return (tensor == 0 ? const_cast<float*>(x_) : out_) + at * tensors_[tensor].channels;
    }

    unsigned char* packed_row(int stage, int y) const {
        return memory_ + places_[stage].rows + y % stages_[stage].ring * places_[stage].row_bytes;
    }

    // Where a row's pixels go before the kernel reads them.
    unsigned char* at_rest(int stage, int y) const {
        const Layer& layer = *stages_[stage].layer;
        return layer.expands() ? memory_ + places_[stage].words
                               : packed_row(stage, y) + layer.row_padding() * layer.pixel_bytes();
    }

    void expand(int stage, int y) const {
        const Layer& layer = *stages_[stage].layer;
        if (layer.expands()) {
            layer.expand(memory_ + places_[stage].words, columns_[stages_[stage].input].size(),
                         packed_row(stage, y) + layer.row_padding() * layer.pixel_bytes());
        }
    }

    void fill(int stage, int y, const float* row) const {
        stages_[stage].layer->pack(row, columns_[stages_[stage].input].size(), at_rest(stage, y));
        expand(stage, y);
    }

    void pad(int stage) const {
        const Layer& layer = *stages_[stage].layer;
        const std::size_t bytes = (layer.row_padding() + columns_[stages_[stage].input].size()) * layer.pixel_bytes();
        for (int row = 0; row < stages_[stage].ring; ++row) {
            layer.fill_padding(packed_row(stage, row));
            layer.fill_padding(packed_row(stage, row) + bytes);
        }
    }

    void advance(int i, int y) {
        const Stage& stage = stages_[i];
        const Geometry& g = stage.layer->geometry();
        Layer::Stretch work{};
        for (int ky = 0; ky < g.kernel_h; ++ky) {
            const int row = y - g.pad_h + ky * g.dilation;
            work.rows[ky] = row < 0 || row >= size_.h ? nullptr : packed_row(i, row);
        }
        work.origin = columns_[stage.input].begin - stage.layer->row_padding();
        work.columns = spans_[i].data();
        work.spans = static_cast<int>(spans_[i].size());
        work.out = pixel(i + 1, y);
        if (stage.shortcut >= 0) {
            const int apart = columns_[i + 1].begin - columns_[stage.shortcut].begin;
            work.skip = pixel(stage.shortcut, y) + static_cast<std::size_t>(apart) * g.out_channels;
        }
        const std::vector<int>& readers = tensors_[i + 1].readers;
        if (!readers.empty()) {
            work.next = stages_[readers[0]].layer;
            work.packed = at_rest(readers[0], y);
        }
        stage.layer->stretch(work, reinterpret_cast<std::int32_t*>(memory_ + places_.back().rows));
        for (std::size_t reader = 0; reader < readers.size(); ++reader) {
            if (reader == 0) {
                expand(readers[0], y);
            } else {
                fill(readers[reader], y, work.out);
            }
        }
    }

    const std::vector<Stage>& stages_;
    const std::vector<Tensor>& tensors_;
    const float* x_;
    float* out_;
    const ImageSize size_;
    const Part part_;
    unsigned char* memory_;
    std::vector<Place> places_;       // of the stages, then of the sums
    std::vector<Range> rows_, columns_; // computed of each tensor
    std::vector<std::vector<Layer::Columns>> spans_;
};

void ChainGroup::run(const float* x, float* out, const ImageSize& size, int strip, const Part& part,
                     unsigned char* memory) const {
    Walk(*this, x, out, size, strip, part, memory).go();
}

} // namespace bisr
