package access

// Claimed says whether somebody owns the station, also if his password cannot be read.
func (a *Access) Claimed() bool {
	hash, damaged := a.password()
	return hash != "" || damaged
}
