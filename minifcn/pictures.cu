// Labels in colour.

// y[i, 0 … 2] = the colour of label[i]; the palette has all 256 of them. One thread for
// each byte that is written, so that neighbours write side by side.
__global__ void paint(const unsigned char* label, const unsigned char* palette,
                      unsigned char* y, Index size) {
    FOR_EACH(k, 3 * size) {
        Index i = k / 3, channel = k % 3;
        y[k] = palette[3 * (Index)label[i] + channel];
    }
}
