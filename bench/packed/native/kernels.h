// The contract between the layer driver and the kernels. Plain data and function pointers only: each kernel file is
// compiled with its own instruction set, so anything inline here could be emitted with instructions that another
// machine lacks, and the linker might keep that copy for everyone.
//
// Tensors are NHWC. A convolution is driven as spans: runs of output pixels of one row that have the same valid taps.
// Taps outside the image are left out of the span, so zero padding contributes exactly nothing.
#pragma once

#include <cstddef>
#include <cstdint>

namespace bisr {

// Output channels are padded to this; kernels may compute the padding lanes, nobody reads them.
constexpr int kChannelBlock = 32;
// Longest span in pixels: its sums stay in the first-level cache.
constexpr int kMaxSpan = 32;
// Kernels up to 7 x 7.
constexpr int kMaxKernel = 7;
constexpr int kMaxTaps = kMaxKernel * kMaxKernel;

// One valid kernel position: where its packed input starts for the span's first pixel, and which of the
// kernel_h * kernel_w weight positions it meets.
struct Tap {
    const unsigned char* input;
    int index;
};

struct Span {
    const Tap* taps;
    int tap_count;
    int taps_total;               // kernel_h * kernel_w
    int pixels;                   // 1 to kMaxSpan
    std::size_t pixel_stride;     // bytes between the packed inputs of neighbouring output pixels
    int depth;                    // units of one tap: 64-channel words (binary) or channel groups (integer)
    const unsigned char* weights; // one base, as prepared for this kernel, 64-byte aligned
    int blocks;                   // output channels / kChannelBlock, rounded up
    std::int32_t offset;          // binary: in_channels * tap_count, the sum if every sign agreed
    const std::int32_t* start;    // integer: [blocks * kChannelBlock], what the sums begin with
    int groups_per_flush;         // integer: groups whose products IntegerOps::sum_limit allows to be summed
};

// WHOLE SPANS: a kernel made of matrix tiles reads, and writes sums for, up to kMaxSpan pixels whatever the span holds.
// Its packed rows have the memory for that, and the padding beside the image lies in them as zeros of the quantized
// input wherever its bytes can hold that, so that short border spans do not occur.

// Writes sums[pixels][blocks * kChannelBlock].
using Accumulate = void (*)(const Span& span, std::int32_t* sums);

// Both sides are signs: sum = offset - 2 * popcount(input xor weight).
struct BinaryOps {
    const char* name;
    std::size_t word_bytes; // bytes of one 64-channel word in a packed row
    std::size_t unit_bytes; // prepared weight bytes of one (channel block, tap, word)
    bool whole_spans;       // see WHOLE SPANS
    // x [pixels][channels] -> words [pixels][channels / 64, rounded up]: the input at rest, the same for all kernels.
    // Bit = (x >= threshold) xor flip; NaN compares false. Tail bits are 0.
    void (*pack)(const float* x, int pixels, int channels, const float* threshold, const std::uint64_t* flip,
                 std::uint64_t* words);
    // words -> packed row; null for a kernel whose packed row is the words themselves.
    void (*expand)(const std::uint64_t* words, int pixels, int channels, unsigned char* row);
    // bits [out_channels][taps][words] -> this kernel's layout, blocks * taps * words * unit_bytes, zeroed before.
    void (*prepare)(const std::uint64_t* bits, int out_channels, int taps, int words, unsigned char* prepared);
    Accumulate accumulate;
};

struct UniformInput {
    const float* shift; // [channels] or null
    float step, low, high;
    int zero; // subtracted from q
};

// Bytes of a channel group in kernels that multiply one 32-bit lane at a time.
constexpr int kGroupBytes = 4;

// Small integers on both sides; products and sums are exact.
struct IntegerOps {
    const char* name;
    int group;        // channels of a group
    int group_bytes;  // of a group in a packed row and, per output channel, in the prepared weights
    int most;         // channels are bytes, signed in the weights: largest input that a row holds, 255 (unsigned) or 127
                      // (signed); channels are int16: 0, inputs stay as they are
    bool whole_spans; // see WHOLE SPANS
    // Largest |sum| that one lane may reach between flushes, where the products of two channels meet in a lane; 0 when
    // there is no limit below that of int32.
    int sum_limit;
    // Row = q - zero with q = rint(clamp((x + shift) / step, low, high)), half to even; NaN becomes low. Channels that
    // fill up the last group are 0.
    void (*quantize)(const float* x, int pixels, int channels, const UniformInput& input, unsigned char* row);
    // weights [out_channels][taps][channels] -> [block][tap][group] units of kChannelBlock * group_bytes, zeroed before.
    void (*prepare)(const std::int8_t* weights, int out_channels, int taps, int channels, unsigned char* prepared);
    Accumulate accumulate;
};

enum class Skip { none, before, after };

// Vectors are padded to blocks * kChannelBlock, or what is left of that from the span's first channel on. A step that the
// layer does not have holds its neutral element, which changes no bit of any float: adding -0, multiplying by 1.
struct EpilogueParams {
    int bases;
    int channels;            // that the span has sums for
    std::size_t scale_plane; // floats between the scales of neighbouring bases
    const float* scale;
    const float* bias;
    const float* pre;
    const float* slope;
    const float* post;
    Skip skip;
};

// Where the signs of a span go at once, for the layer that reads it; the bits of its other channels lie beside them.
struct SignOutput {
    const float* threshold; // [blocks * kChannelBlock], NaN beyond the last channel
    const unsigned char* flip; // bytes of bits
    unsigned char* bits;       // null: the signs are not asked for
    std::size_t pixel_bytes;   // between neighbouring pixels
};

// The float work of one span, every operation rounded to float32 in the documented order.
struct EpilogueSpan {
    const std::int32_t* sums; // [bases][kMaxSpan][padded]
    std::size_t padded;       // blocks * kChannelBlock
    int pixels;
    std::size_t stride;     // floats between neighbouring pixels of `skip` and `out`
    const float* skip;      // [pixels][channels], or null without a skip
    const float* scale_map; // [pixels] or null
    float* out;             // [pixels][channels]
    SignOutput signs;       // only for kernels that take signs with their epilogue
};

using Epilogue = void (*)(const EpilogueParams& params, const EpilogueSpan& span);

namespace portable {
extern const BinaryOps binary;
extern const IntegerOps integer;
void epilogue(const EpilogueParams& params, const EpilogueSpan& span);
// prepared: int16 [block][tap][channel, even count][kChannelBlock]
void prepare_integer(const std::int8_t* weights, int out_channels, int taps, int channels, unsigned char* prepared);
} // namespace portable

namespace avx2 {
extern const BinaryOps binary;
extern const IntegerOps integer;
extern const IntegerOps narrow; // for products that leave room in 16 bits: twice as fast
void pack(const float* x, int pixels, int channels, const float* threshold, const std::uint64_t* flip,
          std::uint64_t* words);
void epilogue(const EpilogueParams& params, const EpilogueSpan& span);
} // namespace avx2

// What the AVX-512 kernels share; the rest is AVX2's.
namespace avx512 {
void pack(const float* x, int pixels, int channels, const float* threshold, const std::uint64_t* flip,
          std::uint64_t* words);
void epilogue(const EpilogueParams& params, const EpilogueSpan& span);
} // namespace avx512

namespace amx_int8 {
extern const BinaryOps binary;
extern const IntegerOps integer;
void enter(); // shapes this thread's tiles
void leave(); // gives them back
} // namespace amx_int8

namespace avx512_vpopcnt {
extern const BinaryOps binary;
} // namespace avx512_vpopcnt

namespace neon_dot {
void accumulate(const Span& span, std::int32_t* sums); // of neon::bytes
} // namespace neon_dot

namespace neon {
extern const BinaryOps binary;
extern const IntegerOps integer;
extern const IntegerOps bytes; // for processors with the dot product of bytes
void epilogue(const EpilogueParams& params, const EpilogueSpan& span);
} // namespace neon

} // namespace bisr
