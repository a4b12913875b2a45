import java.io.File;
import java.util.Locale;
import org.HdrHistogram.EncodableHistogram;
import org.HdrHistogram.Histogram;
import org.HdrHistogram.HistogramLogReader;

/** Prints every interval of a log as HdrHistogram's own reader sees it: fields apart by tabs. */
public class ReadHlog {
    public static void main(String[] args) throws Exception {
        HistogramLogReader reader = new HistogramLogReader(new File(args[0]));
        while (reader.hasNext()) {
            EncodableHistogram next = reader.nextIntervalHistogram();
            // The reader's answer to a comment or legend at the end of the file.
            if (next == null) {
                continue;
            }
            Histogram h = (Histogram) next;
            System.out.printf(Locale.ROOT, "%s\t%d\t%d\t%d\t%d\t%.6f\t%d\t%d\t%d\t%d\t%d%n",
                h.getTag() == null ? "" : h.getTag(),
                h.getStartTimeStamp(), h.getEndTimeStamp(), h.getTotalCount(),
                h.getTotalCount() == 0 ? 0 : h.getMinValue(), h.getMean(),
                h.getValueAtPercentile(50), h.getValueAtPercentile(95), h.getValueAtPercentile(99),
                h.getValueAtPercentile(99.9), h.getMaxValue());
        }
        reader.close();
    }
}
