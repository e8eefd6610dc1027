// AMX: signs and small integers as bytes, multiplied tile by tile. A tile of inputs is 16 pixels by 64 channels, one
// 64-byte line of the packed row each; a tile of weights is 64 channels by 16 output channels; their product adds to
// 16 pixels by 16 channels of int32 sums. Signs rest as bits and become bytes of -1 and 1 in the ring of packed rows.
#include "kernels.h"

#include <immintrin.h>

namespace bisr::amx_int8 {
namespace {

constexpr int kDepth = 64; // channels of a tile
constexpr int kTilePixels = 16;
constexpr int kTileChannels = 16;
constexpr int kTileBytes = 1024;
constexpr int kUnitBytes = kChannelBlock * kDepth; // weights of one (channel block, tap, 64 channels): two tiles

static_assert(kMaxSpan == 2 * kTilePixels && kChannelBlock == 2 * kTileChannels, "a span and a block are 2 x 2 tiles");

// All eight tiles have 16 rows of 64 bytes.
struct alignas(64) TileShapes {
    unsigned char palette = 1, start_row = 0, reserved[14] = {};
    std::uint16_t row_bytes[16] = {64, 64, 64, 64, 64, 64, 64, 64};
    unsigned char rows[16] = {16, 16, 16, 16, 16, 16, 16, 16};
};

// In static memory: GCC's intrinsic says that it reads 8 bytes, and the others could be left unwritten on the stack.
const TileShapes kShapes;

void expand(const std::uint64_t* words, int pixels, int channels, unsigned char* row) {
    const int depth = (channels + kDepth - 1) / kDepth, tail = channels % kDepth;
    const __m512i plus = _mm512_set1_epi8(1), minus = _mm512_set1_epi8(-1);
    // Bytes beyond the last channel are 0 and contribute nothing.
    const __m512i last = tail == 0 ? minus : _mm512_maskz_mov_epi8((std::uint64_t{1} << tail) - 1, minus);
    for (int p = 0; p < pixels; ++p) {
        for (int i = 0; i < depth; ++i, row += kDepth) {
            const __m512i bytes = _mm512_mask_mov_epi8(i + 1 < depth ? minus : last, *words++, plus);
            _mm512_storeu_si512(row, bytes);
        }
    }
}

// Weight `value` of output channel co, tap and input channel c in int8 [block][tap][64 channels][half block][c / 4 % 16]
// [co % 16][c % 4]: rows of a tile hold four input channels of each output channel.
struct Prepared {
    signed char* bytes;
    int taps, depth;

    void put(int co, int tap, int c, int value) const {
        const std::size_t unit = (static_cast<std::size_t>(co / kChannelBlock) * taps + tap) * depth + c / kDepth;
        const int half = co % kChannelBlock / kTileChannels, k = c % kDepth;
        bytes[unit * kUnitBytes + half * kTileBytes + k / 4 * 64 + co % kTileChannels * 4 + k % 4] =
            static_cast<signed char>(value);
    }
};

void prepare_signs(const std::uint64_t* bits, int out_channels, int taps, int words, unsigned char* prepared) {
    const Prepared target{reinterpret_cast<signed char*>(prepared), taps, words};
    for (int co = 0; co < out_channels; ++co) {
        for (int tap = 0; tap < taps; ++tap) {
            for (int word = 0; word < words; ++word, ++bits) {
                for (int c = 0; c < kDepth; ++c) {
                    target.put(co, tap, word * kDepth + c, (*bits >> c & 1) != 0 ? 1 : -1);
                }
            }
        }
    }
}

void prepare_integers(const std::int8_t* weights, int out_channels, int taps, int channels, unsigned char* prepared) {
    const Prepared target{reinterpret_cast<signed char*>(prepared), taps, (channels + kDepth - 1) / kDepth};
    for (int co = 0; co < out_channels; ++co) {
        for (int tap = 0; tap < taps; ++tap) {
            for (int c = 0; c < channels; ++c) {
                target.put(co, tap, c, *weights++);
            }
        }
    }
}

void quantize(const float* x, int pixels, int channels, const UniformInput& input, unsigned char* row) {
    const int row_bytes = (channels + kDepth - 1) / kDepth * kDepth;
    const __m512 step = _mm512_set1_ps(input.step), low = _mm512_set1_ps(input.low), high = _mm512_set1_ps(input.high);
    const __m512i zero = _mm512_set1_epi32(input.zero);
    for (int p = 0; p < pixels; ++p, x += channels, row += row_bytes) {
        for (int c = 0; c < row_bytes; c += 16) {
            const int left = channels - c;
            const auto mask = static_cast<__mmask16>(left >= 16 ? 0xffff : left > 0 ? (1 << left) - 1 : 0);
            __m512 v = _mm512_maskz_loadu_ps(mask, x + c);
            if (input.shift != nullptr) {
                v = _mm512_add_ps(v, _mm512_maskz_loadu_ps(mask, input.shift + c));
            }
            // max and min return their second operand when the first is NaN.
            v = _mm512_min_ps(_mm512_max_ps(_mm512_div_ps(v, step), low), high);
            const __m512i q = _mm512_maskz_sub_epi32(mask, _mm512_cvtps_epi32(v), zero);
            _mm_storeu_si128(reinterpret_cast<__m128i*>(row + c), _mm512_cvtepi32_epi8(q));
        }
    }
}

// Tiles 0 to 3: sums of (first, second 16 pixels) x (first, second 16 channels of the block); 4, 5: inputs; 6, 7:
// weights. kTwo: the span has more than 16 pixels.
template <bool kSigns, bool kTwo>
void block_sums(const Span& span, int block, std::int32_t* sums) {
    const std::size_t stride = span.pixel_stride, padded = static_cast<std::size_t>(span.blocks) * kChannelBlock;
    const unsigned char* weights =
        span.weights + static_cast<std::size_t>(block) * span.taps_total * span.depth * kUnitBytes;
    if (kSigns) {
        _tile_zero(0);
        _tile_zero(1);
        _tile_zero(2);
        _tile_zero(3);
    } else {
        // Every row is the same line.
        const std::int32_t* start = span.start + block * kChannelBlock;
        _tile_loadd(0, start, 0);
        _tile_loadd(1, start + kTileChannels, 0);
        _tile_loadd(2, start, 0);
        _tile_loadd(3, start + kTileChannels, 0);
    }
    for (int t = 0; t < span.tap_count; ++t) {
        const unsigned char* input = span.taps[t].input;
        const unsigned char* weight = weights + static_cast<std::size_t>(span.taps[t].index) * span.depth * kUnitBytes;
        for (int i = 0; i < span.depth; ++i, input += kDepth, weight += kUnitBytes) {
            _tile_loadd(4, input, stride);
            _tile_loadd(6, weight, 64);
            _tile_loadd(7, weight + kTileBytes, 64);
            if (kTwo) {
                _tile_loadd(5, input + kTilePixels * stride, stride);
            }
            if (kSigns) {
                _tile_dpbssd(0, 4, 6);
                _tile_dpbssd(1, 4, 7);
            } else {
                _tile_dpbusd(0, 4, 6);
                _tile_dpbusd(1, 4, 7);
            }
            if (kTwo && kSigns) {
                _tile_dpbssd(2, 5, 6);
                _tile_dpbssd(3, 5, 7);
            } else if (kTwo) {
                _tile_dpbusd(2, 5, 6);
                _tile_dpbusd(3, 5, 7);
            }
        }
    }
    std::int32_t* out = sums + block * kChannelBlock;
    const std::size_t row_bytes = padded * sizeof(std::int32_t);
    _tile_stored(0, out, row_bytes);
    _tile_stored(1, out + kTileChannels, row_bytes);
    if (kTwo) {
        _tile_stored(2, out + kTilePixels * padded, row_bytes);
        _tile_stored(3, out + kTilePixels * padded + kTileChannels, row_bytes);
    }
}

template <bool kSigns>
void accumulate(const Span& span, std::int32_t* sums) {
    // The compiler does not see the tiles' accesses to memory.
    asm volatile("" ::: "memory");
    for (int block = 0; block < span.blocks; ++block) {
        if (span.pixels > kTilePixels) {
            block_sums<kSigns, true>(span, block, sums);
        } else {
            block_sums<kSigns, false>(span, block, sums);
        }
    }
    asm volatile("" ::: "memory");
}

} // namespace

void enter() { _tile_loadconfig(&kShapes); }

void leave() { _tile_release(); }

const BinaryOps binary{"amx_int8", kDepth, kUnitBytes, true, avx512::pack, expand, prepare_signs, accumulate<true>};
const IntegerOps integer{"amx_int8", kDepth, kDepth, 255, true, 0, quantize, prepare_integers, accumulate<false>};

} // namespace bisr::amx_int8
