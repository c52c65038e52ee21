// Package browsertest tests the station's page as a person uses it: a headless
// Chromium, driven over its debugging protocol, in front of the program itself
// with a simulated receiver. Its files have the build tag browser; `make
// test-browser` runs them, and needs chromium and, once, npm.
//
// Run as root, the tests have a network namespace of their own, out of which
// nothing gets. On a failure they print the page's text, what the browser
// complained of and the station's log.
package browsertest
