// Package powercut replays power cuts: it records what is written to a disk and
// shows every disk that a cut may leave behind. It is for tests.
package powercut
