//go:build soak

package gpspps_test

const honestDays = 30
