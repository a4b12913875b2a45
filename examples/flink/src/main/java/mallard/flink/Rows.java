package mallard.flink;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.time.DateTimeException;
import java.time.OffsetDateTime;
import java.util.ArrayList;
import java.util.List;

/**
 * Rows of a payload, one a sample. A payload without a device, a user or a time has none; a sample
 * without an id, a type, a value or sound dates is left out alone.
 */
final class Rows {
    private final ObjectMapper json = new ObjectMapper();

    List<byte[]> of(byte[] value) {
        List<byte[]> rows = new ArrayList<>();
        try {
            JsonNode payload = json.readTree(value);
            Long sent = millis(payload.get("timestamp"));
            if (text(payload, "deviceId") == null || text(payload, "userId") == null || sent == null) {
                return rows;
            }
            for (JsonNode sample : payload.path("samples")) {
                ObjectNode row = row(payload, sample, sent);
                if (row != null) {
                    rows.add(json.writeValueAsBytes(row));
                }
            }
        } catch (IOException wrong) {
            // No JSON: a payload without rows.
            rows.clear();
        }
        return rows;
    }

    private ObjectNode row(JsonNode payload, JsonNode sample, long sent) {
        Long start = millis(sample.get("startDate"));
        Long end = millis(sample.get("endDate"));
        boolean whole = text(sample, "id") != null && text(sample, "type") != null
            && sample.path("value").isNumber() && start != null && end != null && start <= end;
        if (!whole) {
            return null;
        }
        ObjectNode row = json.createObjectNode();
        row.put("device_id", text(payload, "deviceId"));
        row.put("user_id", text(payload, "userId"));
        row.put("sample_id", text(sample, "id"));
        row.put("data_type", text(sample, "type"));
        row.set("value", sample.get("value"));
        row.put("unit", text(sample, "unit"));
        row.put("start_date", start);
        row.put("end_date", end);
        row.put("source_bundle", text(sample, "sourceBundle"));
        row.put("metadata", sample.path("metadata").toString());
        row.put("is_synced", sample.path("isSynced").asBoolean());
        row.put("created_at", millis(sample.get("createdAt")));
        row.put("payload_timestamp", sent);
        row.put("app_version", text(payload, "appVersion"));
        row.put("processing_time", System.currentTimeMillis());
        row.put("timezone", "UTC");
        row.put("timezone_offset", 0);
        return row;
    }

    private static String text(JsonNode of, String name) {
        JsonNode field = of.get(name);
        return field == null || !field.isTextual() || field.textValue().isEmpty() ? null : field.textValue();
    }

    private static Long millis(JsonNode time) {
        try {
            return time == null ? null : OffsetDateTime.parse(time.asText()).toInstant().toEpochMilli();
        } catch (DateTimeException wrong) {
            return null;
        }
    }
}
