// AVX2: signs on both sides. Output channels lie in byte lanes: for each 4-bit nibble of the packed input, one shuffle
// looks up, for 32 output channels at once, how many of the nibble's bits differ from each channel's weight nibble. A
// looked-up byte holds two such counts, one of this pixel and one of its right neighbour.
#include "avx2_lookup.h"

namespace bisr::avx2 {
namespace {

constexpr std::uint64_t kLowNibbles = 0x0f0f0f0f0f0f0f0fu;

void expand(const std::uint64_t* words, int pixels, int channels, unsigned char* row) {
    const int per_pixel = (channels + 63) / 64;
    const auto offsets = [&](int i, std::uint64_t next) {
        const auto bytes = [](std::uint64_t low, std::uint64_t high) {
            return _mm_set_epi64x(static_cast<long long>(high), static_cast<long long>(low));
        };
        const __m128i here = bytes((words[i] & kLowNibbles) << 4, words[i] & kLowNibbles << 4);
        const __m128i there = bytes(next & kLowNibbles, next >> 4 & kLowNibbles);
        auto* out = reinterpret_cast<__m128i*>(row + i * kWordBytes);
        _mm_storeu_si128(out, _mm_unpacklo_epi8(here, there));
        _mm_storeu_si128(out + 1, _mm_unpackhi_epi8(here, there));
    };
    const int last = (pixels - 1) * per_pixel;
    for (int i = 0; i < last; ++i) {
        offsets(i, words[i + per_pixel]);
    }
    for (int i = last; i < last + per_pixel; ++i) {
        offsets(i, 0);
    }
}

// Byte of an output channel in its block: channels 0 to 15 lie in even bytes, 16 to 31 in odd ones, each in the order
// from which unpacking 16 bits to 32 leads to vectors of eight channels in a row.
int byte_of(int channel) {
    const int vector = channel / 8 % 2, half = channel / 4 % 2;
    return 2 * (8 * half + 4 * vector + channel % 4) + channel / 16;
}

// prepared: u8 [block][tap][word][kNibbles][kChannelBlock], nibbles in the packed row's order
void prepare(const std::uint64_t* bits, int out_channels, int taps, int words, unsigned char* prepared) {
    const int depth = taps * words;
    for (int co = 0; co < out_channels; ++co) {
        const int block = co / kChannelBlock, lane = byte_of(co % kChannelBlock);
        for (int i = 0; i < depth; ++i) {
            const std::uint64_t word = bits[co * depth + i];
            unsigned char* out = prepared + (static_cast<std::size_t>(block) * depth + i) * kUnitBytes + lane;
            for (int nibble = 0; nibble < kNibbles; ++nibble) {
                const int shift = nibble < 8 ? 8 * nibble : 8 * (nibble - 8) + 4;
                out[nibble * kChannelBlock] = static_cast<unsigned char>(word >> shift & 15);
            }
        }
    }
}

// sums = start - 2 * ones, for a channel block; without `start` the sums go on from what they are.
inline void subtract_twice(std::int32_t* sums, const __m256i* start, const __m256i (&ones)[2]) {
    auto* out = reinterpret_cast<__m256i*>(sums);
    const auto put = [&](__m256i eight) {
        _mm256_storeu_si256(out, _mm256_sub_epi32(start != nullptr ? *start : _mm256_loadu_si256(out), eight));
        ++out;
    };
    for (const __m256i sixteen : ones) {
        const __m256i twice = _mm256_slli_epi16(sixteen, 1), zero = _mm256_setzero_si256();
        put(_mm256_unpacklo_epi16(twice, zero));
        put(_mm256_unpackhi_epi16(twice, zero));
    }
}

// `subtract_twice` for the first kPixels pixels of a pair, whose sums lie `padded` apart.
template <int kPixels>
[[gnu::always_inline]] inline void drain(std::int32_t* sums, std::size_t padded, const __m256i* start,
                                         const __m256i (&halves)[2][2]) {
    for (int i = 0; i < kPixels; ++i) {
        subtract_twice(sums + i * padded, start, halves[i]);
    }
}

// A word of the packed row and the weights it meets, both where the span's first pixel and channel block have them.
struct Word {
    const unsigned char *input, *weights;
};

// A byte holds 63 counts of at most 4: three words. 16 bits hold twice 170 such flushes of at most 192.
constexpr int kWordsPerFlush = 3, kWordsPerPass = 170 * kWordsPerFlush;

// Words that a tile sums up at a stretch; a later pass goes on from the sums of the one before.
struct Pass {
    const Word* words;
    int count;
    bool first;
};

// kPairs pairs of pixels times kBlocks channel blocks. A pair is two neighbouring output pixels (kStep 2) or, where the
// packed row's next pixel is not the next output's, one of them (kStep 1). kOnce: one flush holds all words, so that
// nothing need be kept in memory.
template <int kPairs, int kBlocks, int kStep, bool kOnce>
void binary_tile(const Span& span, const Pass& pass, int pixel, int block, std::int32_t* sums) {
    const std::size_t block_bytes = static_cast<std::size_t>(span.taps_total) * span.depth * kUnitBytes;
    const std::size_t padded = static_cast<std::size_t>(span.blocks) * kChannelBlock;
    const std::size_t pair_stride = span.pixel_stride * kStep, first = pixel * span.pixel_stride;
    const std::size_t first_block = block * block_bytes;
    std::int32_t* tile_sums = sums + pixel * padded + static_cast<std::size_t>(block) * kChannelBlock;
    const __m256i offset = _mm256_set1_epi32(span.offset);
    const __m256i* start = kOnce || pass.first ? &offset : nullptr;
    const auto put = [=](int p, int b, const __m256i(&found)[2][2]) {
        drain<kStep>(tile_sums + p * kStep * padded + b * kChannelBlock, padded, start, found);
    };

    __m256i halves[kPairs][kBlocks][2][2];
    // The first flush writes them all, which GCC does not see; zeroing them would cost a twentieth of the layer.
    asm("" : "=m"(halves));
    const Word *word = pass.words, *const end = word + pass.count;
    do {
        const bool fresh = word == pass.words;
        Counts counts[kPairs][kBlocks] = {};
        for (const Word* stop = end - word > kWordsPerFlush ? word + kWordsPerFlush : end; word != stop; ++word) {
            add_word(word->input + first, pair_stride, word->weights + first_block, block_bytes, counts);
        }
        // Unrolled, so that the counts have fixed places: GCC would otherwise keep them in memory.
#pragma GCC unroll 2
        for (int p = 0; p < kPairs; ++p) {
#pragma GCC unroll 2
            for (int b = 0; b < kBlocks; ++b) {
                __m256i found[2][2];
                widen(counts[p][b], found);
                if (kOnce) {
                    put(p, b, found);
                    continue;
                }
                for (int i = 0; i < 4; ++i) {
                    __m256i& half = halves[p][b][i / 2][i % 2];
                    half = fresh ? found[i / 2][i % 2] : _mm256_add_epi16(half, found[i / 2][i % 2]);
                }
            }
        }
    } while (!kOnce && word != end);
    for (int p = 0; p < kPairs && !kOnce; ++p) {
        for (int b = 0; b < kBlocks; ++b) {
            put(p, b, halves[p][b]);
        }
    }
}

// Sums of one pixel past an odd count are written, and read by nobody: spans of kMaxSpan pixels are even.
template <int kBlocks, int kStep, bool kOnce>
void binary_blocks(const Span& span, const Pass& pass, int block, std::int32_t* sums) {
    static_assert(kMaxSpan % 2 == 0);
    int p = 0;
    for (; p + 2 * kStep <= span.pixels; p += 2 * kStep) {
        binary_tile<2, kBlocks, kStep, kOnce>(span, pass, p, block, sums);
    }
    for (; p < span.pixels; p += kStep) {
        binary_tile<1, kBlocks, kStep, kOnce>(span, pass, p, block, sums);
    }
}

template <int kStep, bool kOnce>
void binary_span(const Span& span, const Pass& pass, std::int32_t* sums) {
    int block = 0;
    for (; block + 2 <= span.blocks; block += 2) {
        binary_blocks<2, kStep, kOnce>(span, pass, block, sums);
    }
    if (block < span.blocks) {
        binary_blocks<1, kStep, kOnce>(span, pass, block, sums);
    }
}

void run_pass(const Span& span, const Pass& pass, std::int32_t* sums) {
    if (span.pixel_stride != span.depth * kWordBytes) {
        binary_span<1, false>(span, pass, sums);
    } else if (pass.first && pass.count <= kWordsPerFlush) {
        binary_span<2, true>(span, pass, sums);
    } else {
        binary_span<2, false>(span, pass, sums);
    }
}

void accumulate_binary(const Span& span, std::int32_t* sums) {
    Word words[kWordsPerPass];
    Pass pass{words, 0, true};
    for (int t = 0; t < span.tap_count; ++t) {
        const Tap& tap = span.taps[t];
        for (int w = 0; w < span.depth; ++w) {
            if (pass.count == kWordsPerPass) {
                run_pass(span, pass, sums);
                pass = {words, 0, false};
            }
            words[pass.count++] = {tap.input + w * kWordBytes,
                                   span.weights + (static_cast<std::size_t>(tap.index) * span.depth + w) * kUnitBytes};
        }
    }
    run_pass(span, pass, sums);
}

} // namespace

const BinaryOps binary{"avx2", kWordBytes, kUnitBytes, false, pack, expand, prepare, accumulate_binary};

} // namespace bisr::avx2
