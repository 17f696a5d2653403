# An axis of time for what comes after: from the first to the last point, and some days at least.
stats data using 1 nooutput name "T_"
stats data using 2 nooutput name "D_"
span = T_max - T_min < 7 * 86400 ? 7 * 86400 : T_max - T_min
set xdata time
set timefmt "%s"
set xrange [T_max - span * 1.03:T_max + span * 0.03]
set format x (span > 400 * 86400 ? "%Y-%m" : "%b %d")
set xtics int(span / (narrow ? 3 : 6) / 86400) * 86400
set xlabel "time (UTC)" tc rgb "#000002"
set yrange [0:*]
set rmargin 3.5
