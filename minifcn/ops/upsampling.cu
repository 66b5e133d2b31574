// Bilinear enlargement. The weight of a pixel is a product of two triangles, one of its
// row and one of its column.

// How much of pixel r output pixel u sees, F times as fine: 1 - |(u + 1/2)/F - 1/2 - r|,
// where that is above 0.
template <typename T>
__device__ T triangle(Index u, Index r, Index F) {
    // In halves of an output pixel the distance is a whole number.
    Index apart = 2 * u + 1 - F - 2 * F * r;
    return 1 - T(apart < 0 ? -apart : apart) / T(2 * F);
}

// The first pixel that output pixel u sees, and one past the last: two at the most.
__device__ Index first_seen(Index u, Index F) {
    return max((2 * u + 1 + F) / (2 * F) - 1, Index(0));
}
__device__ Index end_seen(Index u, Index F, Index H) {
    return min((2 * u + F) / (2 * F) + 1, H);
}

// y[.., u, v] = sum over r, q of t(u, r) t(v, q) x[.., r, q], beyond which lie zeros.
template <typename T>
__global__ void upsample(const T* x, T* y, Index n, Index H, Index W, Index FH,
                         Index FW) {
    Index OH = H * FH, OW = W * FW;
    FOR_EACH(k, n) {
        Index v = k % OW, u = k / OW % OH, plane = k / OW / OH;
        Index r_end = end_seen(u, FH, H), q_end = end_seen(v, FW, W);
        T sum = 0;
        for (Index r = first_seen(u, FH); r < r_end; r++) {
            const T* row = x + (plane * H + r) * W;
            T seen = 0;
            for (Index q = first_seen(v, FW); q < q_end; q++)
                seen += triangle<T>(v, q, FW) * row[q];
            sum += triangle<T>(u, r, FH) * seen;
        }
        y[k] = sum;
    }
}

// Its adjoint along one axis: gx[m, r, s] = sum over u of t(u, r) gy[m, u, s], where m
// counts what stands before the axis and s < S what stands behind. Rows first, then
// columns: 2 FH + 2 FW numbers to add, and not 4 FH FW.
template <typename T>
__global__ void gather_axis(const T* gy, T* gx, Index n, Index H, Index F, Index S) {
    FOR_EACH(k, n) {
        Index s = k % S, r = k / S % H, m = k / S / H;
        // Over the output pixels that see r: its own F, and F / 2 on each side.
        Index end = min((r + 1) * F + F / 2, H * F);
        T sum = 0;
        for (Index u = max(r * F - F / 2, Index(0)); u < end; u++)
            sum += triangle<T>(u, r, F) * gy[(m * H * F + u) * S + s];
        gx[k] = sum;
    }
}
