package nmea

// Checksum is the exclusive or of the bytes of body, which is what stands
// between '$' and '*'.
func Checksum(body []byte) byte {
	var x byte
	for _, c := range body {
		x ^= c
	}
	return x
}

// AppendSentence appends '$', body, '*', the checksum and the line end to dst.
// body must hold neither '$' nor '*' nor bytes that are not printable ASCII;
// it is not checked.
func AppendSentence(dst []byte, body string) []byte {
	const digits = "0123456789ABCDEF"
	dst = append(dst, '$')
	at := len(dst)
	dst = append(dst, body...)
	x := Checksum(dst[at:])
	return append(dst, '*', digits[x>>4], digits[x&15], '\r', '\n')
}
