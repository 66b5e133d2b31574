// Cutting, framing and interleaving: each thread fetches one number of the output, or
// finds that there is none for it. A plane is one channel of one image.

// y[.., r, q] = x[.., top + r, left + q], fill outside of x: crop and pad in one.
template <typename T>
__global__ void cut(const T* x, T* y, Index n, Index H, Index W, Index OH, Index OW,
                    Index top, Index left, T fill) {
    FOR_EACH(k, n) {
        Index q = k % OW, r = k / OW % OH, plane = k / OW / OH;
        Index h = top + r, w = left + q;
        bool inside = 0 <= h && h < H && 0 <= w && w < W;
        y[k] = inside ? x[(plane * H + h) * W + w] : fill;
    }
}

// y[plane, a, b, r, q] = x[plane, top + r SH + a, left + q SW + b], a < A, b < B, and
// zero outside of x.
template <typename T>
__global__ void deinterleave(const T* x, T* y, Index n, Index H, Index W, Index A,
                             Index B, Index OH, Index OW, Index SH, Index SW, Index top,
                             Index left) {
    FOR_EACH(k, n) {
        Index q = k % OW, r = k / OW % OH, map = k / OW / OH;
        Index b = map % B, a = map / B % A, plane = map / B / A;
        Index h = top + r * SH + a, w = left + q * SW + b;
        bool inside = 0 <= h && h < H && 0 <= w && w < W;
        y[k] = inside ? x[(plane * H + h) * W + w] : T(0);
    }
}

// The adjoint: y[plane, top + r SH + a, left + q SW + b] = x[plane, a, b, r, q]. The
// thread of a pixel asks which phase and place lead to it; zero where none does.
template <typename T>
__global__ void interleave(const T* x, T* y, Index n, Index H, Index W, Index A,
                           Index B, Index OH, Index OW, Index SH, Index SW, Index top,
                           Index left) {
    FOR_EACH(k, n) {
        Index w = k % OW - left, h = k / OW % OH - top, plane = k / OW / OH;
        Index b = w % SW, a = h % SH, q = w / SW, r = h / SH;
        bool found = h >= 0 && w >= 0 && a < A && b < B && r < H && q < W;
        Index map = (plane * A + a) * B + b;
        y[k] = found ? x[(map * H + r) * W + q] : T(0);
    }
}
