//go:build corpus

package main

// exception is a difference between what is decoded of a recording and what
// gpsd made of it, and why it is none that is to be mended.
type exception struct{ file, what, why string }

// Why they are none.
const (
	theFirst = "gpsd reports nothing of the recording's first epoch"
	theLast  = "the recording ends in this epoch; gpsd waits for its end or for the next"
	noDate   = "gpsd reports this first epoch with a fix without its time, the date coming too late"
	silent   = "gpsd reports nothing of this epoch, which lacks the sentence that ends the others"
	gll      = "gpsd takes GLL's milliseconds, which are not RMC's and GGA's in the same epoch"
	ownLeap  = "gpsd takes the 18 leap seconds of its build, before the receiver has named those of its day"
	cookies  = "gpsd was given this over TCP without the comment that says when it was recorded"
	zdaAhead = "ZDA is a second ahead of RMC and GGA, and says nothing of a fix; gpsd carries the place over, and 3D"
	gsa      = "gpsd takes a height in GGA for 3D, where the receiver says 2D in GSA, and carries that on"
)

func exceptions() []exception {
	return []exception{
		{"ac12_binary", "only ours 2007-12-23T18:35:30.000Z", theFirst},
		{"ac12_binary", "mode of 5 epochs", zdaAhead},
		{"ac12_binary", "order of the times", zdaAhead},
		{"ait250", "only ours 2009-08-01T19:49:40.000Z", theLast},
		{"bt451", "only ours 2009-12-09T14:33:08.500Z", theLast},
		{"bt451", "only ours 2009-12-09T15:25:04.500Z", noDate},
		{"bt451", "only ours 2009-12-09T15:25:08.500Z", silent},
		{"ch-4701", "only ours 2008-05-29T12:35:00.000Z", theLast},
		{"ch-4711", "mode of 7 epochs", gsa},
		{"ch-4711", "only ours 2009-12-05T13:56:58.997Z", silent},
		{"eXplorist210", "only gpsd's 2006-05-20T20:06:20.303Z", gll},
		{"eXplorist210", "only gpsd's 2006-05-20T20:06:21.297Z", gll},
		{"eXplorist210", "only gpsd's 2006-05-20T20:06:22.305Z", gll},
		{"garmin25lp", "mode of 9 epochs", gsa},
		{"geos-1m", "only ours 2010-07-09T07:37:01.000Z", noDate},
		{"gp-320fw-2019-04-06-overflow", "only ours 2019-04-06T23:57:26.020Z", silent},
		{"gps-360", "only ours 2006-07-28T02:16:25.949Z", theLast},
		{"haicom-305N", "mode of 5 epochs", gsa},
		{"haicom-305N", "only ours 2007-04-08T09:53:04.802Z", noDate},
		{"iTrek", "mode of 1 epochs", gsa},
		{"isync", "only ours 2016-02-03T13:15:30.000Z", theLast},
		{"motorola-t805", "only ours 2007-12-18T21:26:14.879Z", noDate},
		{"mtk-3301", "mode of 1 epochs", gsa},
		{"mtk-3301", "only ours 2008-08-23T08:14:36.000Z", noDate},
		{"neo-m8n", "only ours 2034-11-01T17:19:48.000Z", theLast},
		{"pharos-360", "only ours 2006-07-28T02:16:33.948Z", theLast},
		{"rst39", "only ours 2033-10-05T20:41:32.100Z", silent},
		{"tcp-test", "only ours 2007-12-23T19:32:23.000Z", theLast},
		{"tcp-torture", "only gpsd's 2027-08-08T19:32:21.000Z", cookies},
		{"tcp-torture", "only ours 2007-12-23T19:32:21.000Z", cookies},
		{"tcp-torture", "only ours 2007-12-23T19:32:23.000Z", cookies},
		{"telit-pls83-w", "mode of 10 epochs", gsa},
		{"u-blox-m8t-time", "only ours 2021-02-23T18:04:29.000Z", theFirst},
		{"ublox-aek-4t", "only gpsd's 2007-12-23T23:11:19.999Z", ownLeap},
		{"ublox-aek-4t", "only ours 2007-12-23T23:11:23.999Z", ownLeap},
		{"ublox-lea-4s", "only ours 2006-12-11T17:55:03.000Z", theFirst},
		{"ublox-lea-4s", "only ours 2006-12-11T17:55:06.000Z", theLast},
		{"ublox-lea-4t", "only gpsd's 2009-01-28T20:35:40.001Z", ownLeap},
		{"ublox-lea-4t", "only ours 2009-01-28T20:35:43.001Z", ownLeap},
		{"ublox-neo-f9v", "only ours 2025-09-14T02:40:13.000Z", theFirst},
		{"ublox-neo-m8p", "only ours 2021-06-10T18:18:55.500Z", theFirst},
		{"ublox-neo-m8u", "only ours 2021-05-26T16:52:44.000Z", theFirst},
		{"ublox-zed-f9p-hp", "only ours 2019-04-22T21:19:20.000Z", theFirst},
		{"ublox-zed-f9p-rtk", "only ours 2022-10-11T11:04:24.000Z", theFirst},
	}
}
