// Windows as columns, and columns back to the pixels under their windows.
//
// Both kernels are told where a column lies: number (n, c, i, j, r, q) is
//     cols[n * image + ((c * KH + i) * KW + j) * tap + r * OW + q]
// so that images may stand one after the other, or side by side for one matrix product.
// Window (r, q) begins at pixel (top + r * SH, left + q * SW), perhaps outside of x.

// Each thread reads one channel of one window, tap by tap, with zeros outside of x.
// Neighbouring threads have neighbouring windows, and so write side by side.
template <typename T>
__global__ void im2col(const T* x, T* cols, Index N, Index C, Index H, Index W,
                       Index KH, Index KW, Index OH, Index OW, Index SH, Index SW,
                       Index DH, Index DW, Index top, Index left, Index image,
                       Index tap) {
    FOR_EACH(k, N * C * OH * OW) {
        Index q = k % OW, r = k / OW % OH, plane = k / (OW * OH);
        Index c = plane % C, n = plane / C;
        const T* from = x + plane * H * W;
        T* to = cols + n * image + c * KH * KW * tap + r * OW + q;
        for (Index i = 0; i < KH; i++) {
            Index h = top + r * SH + i * DH;
            for (Index j = 0; j < KW; j++, to += tap) {
                Index w = left + q * SW + j * DW;
                bool inside = h >= 0 && h < H && w >= 0 && w < W;
                *to = inside ? from[h * W + w] : T(0);
            }
        }
    }
}

// Along one axis: the window that begins so many pixels after the first; -1 if none does.
__device__ Index window(Index after, Index stride, Index count) {
    if (stride == 1) return after < count ? after : -1;  // spares a division
    Index r = after / stride;
    return after >= 0 && after == r * stride && r < count ? r : -1;
}

// Each thread owns one pixel, and adds up what the windows that see it hold of it: for
// each tap (i, j) the one window, if any, whose tap (i, j) lies here. The order is fixed
// and nothing is written twice, so the sum is the same from run to run.
template <typename T>
__global__ void col2im(const T* cols, T* x, Index N, Index C, Index H, Index W,
                       Index KH, Index KW, Index OH, Index OW, Index SH, Index SW,
                       Index DH, Index DW, Index top, Index left, Index image,
                       Index tap) {
    FOR_EACH(k, N * C * H * W) {
        Index w = k % W, h = k / W % H, plane = k / (W * H);
        Index c = plane % C, n = plane / C;
        const T* from = cols + n * image + c * KH * KW * tap;
        T sum = 0;
        for (Index i = 0; i < KH; i++) {
            Index r = window(h - top - i * DH, SH, OH);
            if (r < 0) continue;
            for (Index j = 0; j < KW; j++) {
                Index q = window(w - left - j * DW, SW, OW);
                if (q >= 0) sum += from[(i * KW + j) * tap + r * OW + q];
            }
        }
        x[k] = sum;
    }
}
