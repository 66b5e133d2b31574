// Max unpooling and its gradient: values to the pixels that their indices name, and
// back. P planes of `windows` values each become planes of `pixels` each.

// last = the last window that names each pixel, counted from 1 over all planes; it
// comes with zeros, which is none. One thread a window. Whichever thread comes first,
// the largest number stays: an atomic of whole numbers leaves no order open.
__global__ void last_windows(const Index* indices, unsigned long long* last, Index n,
                             Index windows, Index pixels) {
    FOR_EACH(k, n) {
        Index index = indices[k];  // -1 names no pixel
        unsigned long long number = k + 1;
        if (index >= 0) atomicMax(&last[k / windows * pixels + index], number);
    }
}

// y = the value of the window that has the pixel, else 0: one thread a pixel.
template <typename T>
__global__ void max_unpool(const unsigned long long* last, const T* x, T* y, Index n) {
    FOR_EACH(k, n) y[k] = last[k] ? x[last[k] - 1] : T(0);
}

// gx = the gradient of the pixel that the window has, else 0: one thread a window.
template <typename T>
__global__ void max_unpool_backward(const Index* indices,
                                    const unsigned long long* last, const T* gy, T* gx,
                                    Index n, Index windows, Index pixels) {
    FOR_EACH(k, n) {
        Index index = indices[k], pixel = k / windows * pixels + index;
        bool has = index >= 0 && (Index)last[pixel] == k + 1;  // else written over
        gx[k] = has ? gy[pixel] : T(0);
    }
}
