// Drives a kernel over an image: packs input rows into a small ring, splits output rows into spans of equal valid taps,
// and finishes each span in floats while its sums are still in the cache. A row is computed channel block by channel block
// where all blocks' weights would not stay in the first-level cache.
#pragma once

#include "select.h"

#include <memory>
#include <new>
#include <vector>

namespace bisr {

struct Geometry {
    int in_channels, out_channels, bases;
    int kernel_h, kernel_w;
    int stride;
    int pad_h, pad_w;
    int dilation;

    int taps() const { return kernel_h * kernel_w; }
    int words() const { return (in_channels + 63) / 64; }
    int blocks() const { return (out_channels + kChannelBlock - 1) / kChannelBlock; }
    std::size_t padded() const { return static_cast<std::size_t>(blocks()) * kChannelBlock; }
    int out_h(int h) const { return extent(h, kernel_h, pad_h); }
    int out_w(int w) const { return extent(w, kernel_w, pad_w); }

  private:
    // Below 1 when the padded image is smaller than the kernel.
    int extent(int size, int kernel, int pad) const {
        const int room = size + 2 * pad - dilation * (kernel - 1) - 1;
        return room < 0 ? 0 : room / stride + 1;
    }
};

struct SignQuantizer {
    std::vector<float> threshold;    // [in_channels]
    std::vector<std::uint64_t> flip; // [words]
};

struct UniformQuantizer {
    std::vector<float> shift; // [in_channels] or empty
    float step, low, high;
};

// Vectors of out_channels, scale of bases * out_channels; empty means that the step is left out.
struct EpilogueVectors {
    std::vector<float> scale, bias, pre, slope, post;
    Skip skip = Skip::none;
};

// Zeroed memory aligned to a cache line.
class AlignedBytes {
  public:
    explicit AlignedBytes(std::size_t size);
    unsigned char* data() const { return bytes_.get(); }

  private:
    struct Free {
        void operator()(unsigned char* bytes) const { ::operator delete[](bytes, std::align_val_t{64}); }
    };
    std::unique_ptr<unsigned char[], Free> bytes_;
};

struct Image {
    const float* x; // [n][h][w][in_channels]
    int n, h, w;
    // Binary layers: [n][h][w][packed_bytes], the bits of `x`; `x` is not read where they are given.
    const unsigned char* packed = nullptr;
};

class Layer;

// Exactly one of `out` and `sums` is set.
struct Result {
    const float* skip = nullptr;      // [n][out_h][out_w][out_channels]
    const float* scale_map = nullptr; // [n][out_h][out_w]
    float* out = nullptr;             // [n][out_h][out_w][out_channels]
    std::int32_t* sums = nullptr;     // [bases][n][out_h][out_w][out_channels]
    const Layer* next = nullptr;      // with `out`: a binary layer that reads `out`, and where the bits for it go,
    unsigned char* packed = nullptr;  // [n][out_h][out_w][next->packed_bytes()]
};

class Layer {
  public:
    // Signs on both sides: bits [bases][out_channels][taps][words], tail bits 0.
    Layer(const Kernel& kernel, const Geometry& geometry, SignQuantizer input, const std::uint64_t* bits,
          EpilogueVectors epilogue);
    // Integer weights int8 [bases][out_channels][taps][in_channels], input signs or integers.
    Layer(const Kernel& kernel, const Geometry& geometry, SignQuantizer input, const std::int8_t* weights,
          EpilogueVectors epilogue);
    Layer(const Kernel& kernel, const Geometry& geometry, UniformQuantizer input, const std::int8_t* weights,
          EpilogueVectors epilogue);

    Layer(const Layer&) = delete;
    Layer& operator=(const Layer&) = delete;

    void run(const Image& image, const Result& result, int threads) const;
    bool binary() const { return binary_ != nullptr; }
    // x [pixels][in_channels] -> this layer's input at rest, [pixels][packed_bytes]: bits, in a binary layer.
    void pack(const float* x, int pixels, unsigned char* packed) const;
    std::size_t packed_bytes() const { return packed_bytes_; }

    struct Columns; // neighbouring output columns with the same valid kernel columns
    struct Scratch; // one worker's memory
    struct Stretch; // of one output row

    // Columns [begin, end) of the output of an image of width w.
    std::vector<Columns> split_columns(int w, int begin, int end) const;
    // What a span's sums need: int32, [bases][kMaxSpan][padded] and [padded].
    std::size_t sum_count() const { return (geometry_.bases * kMaxSpan + 1) * geometry_.padded(); }
    void stretch(const Stretch& work, std::int32_t* sums) const;
    // Words at rest -> packed row, for layers whose kernel expands them.
    void expand(const unsigned char* packed, int pixels, unsigned char* row) const;
    // Zeros of the quantized input in `row_padding` pixels.
    void fill_padding(unsigned char* row) const;
    bool expands() const { return binary_ != nullptr && binary_->expand != nullptr; }
    bool whole_spans() const { return whole_spans_; }
    int row_padding() const { return row_padding_; }
    std::size_t pixel_bytes() const { return pixel_bytes_; }
    std::size_t weight_bytes() const { return base_bytes_ * geometry_.bases; }
    // What a thread does around its share of the work.
    void enter() const {
        if (enter_ != nullptr) {
            enter_();
        }
    }
    void leave() const {
        if (leave_ != nullptr) {
            leave_();
        }
    }

    const Geometry& geometry() const { return geometry_; }
    const char* kernel_name() const { return binary_ != nullptr ? binary_->name : integer_->name; }
    Skip skip() const { return epilogue_.skip; }

  private:
    void set_kernel(const Kernel& kernel, bool whole_spans);
    void set_epilogue(const EpilogueVectors& vectors);
    void choose_integer_ops(const Kernel& kernel, const std::int8_t* weights);
    void prepare_integer(const std::int8_t* weights);
    // Bits that are the kernel's packed row already are not copied.
    bool read_in_place(const Image& image) const { return image.packed != nullptr && !expands(); }
    void fill_row(const Image& image, std::size_t pixel, int pixels, unsigned char* row, const Scratch& scratch) const;
    void rows(const Image& image, const Result& result, const std::vector<Columns>& columns, int n, int y0, int y1,
              const Scratch& scratch) const;
    void pixels(const Image& image, const Result& result, std::size_t first, int count, const Scratch& scratch) const;
    int valid_taps(const Stretch& work, const Columns& run, Tap* taps) const;
    void fill_start(const Span& span, int base, int first_block, std::int32_t* start) const;
    void block_sums(Span& span, int first_block, std::int32_t* sums) const;
    void finish_span(const Span& span, const Stretch& work, int first_block, int x, const std::int32_t* sums) const;
    void ask_for(const Stretch& work, int x, int pixels) const;
    bool pointwise() const;

    Geometry geometry_;
    const BinaryOps* binary_ = nullptr;   // set for layers with signs on both sides,
    const IntegerOps* integer_ = nullptr; // and this one for all others
    Accumulate accumulate_;
    Epilogue float_work_;
    void (*enter_)() = nullptr;
    void (*leave_)() = nullptr;
    bool whole_spans_ = false;
    bool epilogue_signs_ = false;
    int group_blocks_ = 1; // channel blocks that a row is computed for at once
    int row_padding_ = 0; // pixels of padding on each side of a packed row
    bool signs_; // the input is a sign
    SignQuantizer sign_;
    UniformQuantizer uniform_{};
    int zero_ = 0; // integer: subtracted from inputs in packed rows
    int groups_per_flush_ = 0;
    int depth_;
    std::size_t pixel_bytes_;  // in a packed row
    std::size_t packed_bytes_; // at rest
    std::size_t base_bytes_;
    std::unique_ptr<AlignedBytes> weights_;
    std::vector<std::int32_t> tap_starts_; // integer: [bases][taps][padded], zero * sum of the tap's weights
    std::vector<float> vectors_;           // scale per base, then the epilogue's other vectors, each padded
    EpilogueParams epilogue_{};
};

} // namespace bisr
