//! Rows in batches, as Parquet files: one batch, one file, one row group.
//!
//! The columns are written one by one through the low-level writer of the Arrow project's `parquet`
//! crate; Arrow itself is not needed for that.

use crate::flatten::Row;
use parquet::{
    basic::Compression,
    data_type::{BoolType, ByteArray, ByteArrayType, DataType, DoubleType, Int32Type, Int64Type},
    errors::ParquetError,
    file::{
        properties::WriterProperties,
        writer::{SerializedFileWriter, SerializedRowGroupWriter},
    },
    schema::parser::parse_message_type,
};
use std::{io::Write, sync::Arc};

/// The schema of files, as Parquet's own tools print it.
pub const SCHEMA: &str = "message row {
    OPTIONAL BYTE_ARRAY device_id (UTF8);
    OPTIONAL BYTE_ARRAY user_id (UTF8);
    OPTIONAL BYTE_ARRAY sample_id (UTF8);
    OPTIONAL BYTE_ARRAY data_type (UTF8);
    OPTIONAL DOUBLE value;
    OPTIONAL BYTE_ARRAY unit (UTF8);
    OPTIONAL INT64 start_date (TIMESTAMP(MILLIS,true));
    OPTIONAL INT64 end_date (TIMESTAMP(MILLIS,true));
    OPTIONAL BYTE_ARRAY source_bundle (UTF8);
    OPTIONAL BYTE_ARRAY metadata (UTF8);
    OPTIONAL BOOLEAN is_synced;
    OPTIONAL INT64 created_at (TIMESTAMP(MILLIS,true));
    OPTIONAL INT64 payload_timestamp (TIMESTAMP(MILLIS,true));
    OPTIONAL BYTE_ARRAY app_version (UTF8);
    OPTIONAL INT64 processing_time (TIMESTAMP(MILLIS,true));
    OPTIONAL BYTE_ARRAY timezone (UTF8);
    OPTIONAL INT32 timezone_offset;
}";

/// Rows that wait to be written, column by column.
#[derive(Debug, Default)]
pub struct RowBatch {
    rows: usize,
    device_id: Column<ByteArray>,
    user_id: Column<ByteArray>,
    sample_id: Column<ByteArray>,
    data_type: Column<ByteArray>,
    value: Column<f64>,
    unit: Column<ByteArray>,
    start_date: Column<i64>,
    end_date: Column<i64>,
    source_bundle: Column<ByteArray>,
    metadata: Column<ByteArray>,
    is_synced: Column<bool>,
    created_at: Column<i64>,
    payload_timestamp: Column<i64>,
    app_version: Column<ByteArray>,
    processing_time: Column<i64>,
    timezone: Column<ByteArray>,
    timezone_offset: Column<i32>,
}

/// Values that there are, and for every row whether there is one.
#[derive(Debug)]
struct Column<T> {
    values: Vec<T>,
    levels: Vec<i16>,
}

impl<T> Default for Column<T> {
    fn default() -> Self {
        Self { values: Vec::new(), levels: Vec::new() }
    }
}

impl<T> Column<T> {
    fn push(&mut self, value: Option<T>) {
        self.levels.push(i16::from(value.is_some()));
        self.values.extend(value);
    }
}

impl Column<ByteArray> {
    fn push_text(&mut self, text: Option<&str>) {
        self.push(text.map(ByteArray::from));
    }
}

impl RowBatch {
    /// Adds a row.
    pub fn push(&mut self, row: &Row<'_>) {
        self.rows += 1;
        self.device_id.push_text(row.device_id);
        self.user_id.push_text(row.user_id);
        self.sample_id.push_text(row.sample_id);
        self.data_type.push_text(row.data_type);
        self.value.push(row.value);
        self.unit.push_text(row.unit);
        self.start_date.push(row.start_date);
        self.end_date.push(row.end_date);
        self.source_bundle.push_text(row.source_bundle);
        self.metadata.push_text(row.metadata);
        self.is_synced.push(row.is_synced);
        self.created_at.push(row.created_at);
        self.payload_timestamp.push(row.payload_timestamp);
        self.app_version.push_text(row.app_version);
        self.processing_time.push(Some(row.processing_time));
        self.timezone.push_text(Some(row.timezone));
        self.timezone_offset.push(Some(row.timezone_offset));
    }

    /// Rows that wait.
    #[must_use]
    pub fn len(&self) -> usize {
        self.rows
    }

    /// Whether none waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rows == 0
    }

    /// Writes all rows as one file, compressed with Snappy.
    ///
    /// # Errors
    /// The writer fails.
    pub fn write<W: Write + Send>(&self, into: W) -> Result<(), ParquetError> {
        let schema = Arc::new(parse_message_type(SCHEMA)?);
        let properties = WriterProperties::builder().set_compression(Compression::SNAPPY).build();
        let mut file = SerializedFileWriter::new(into, schema, Arc::new(properties))?;
        let mut group = file.next_row_group()?;
        // In the order of the schema.
        put::<_, ByteArrayType>(&mut group, &self.device_id)?;
        put::<_, ByteArrayType>(&mut group, &self.user_id)?;
        put::<_, ByteArrayType>(&mut group, &self.sample_id)?;
        put::<_, ByteArrayType>(&mut group, &self.data_type)?;
        put::<_, DoubleType>(&mut group, &self.value)?;
        put::<_, ByteArrayType>(&mut group, &self.unit)?;
        put::<_, Int64Type>(&mut group, &self.start_date)?;
        put::<_, Int64Type>(&mut group, &self.end_date)?;
        put::<_, ByteArrayType>(&mut group, &self.source_bundle)?;
        put::<_, ByteArrayType>(&mut group, &self.metadata)?;
        put::<_, BoolType>(&mut group, &self.is_synced)?;
        put::<_, Int64Type>(&mut group, &self.created_at)?;
        put::<_, Int64Type>(&mut group, &self.payload_timestamp)?;
        put::<_, ByteArrayType>(&mut group, &self.app_version)?;
        put::<_, Int64Type>(&mut group, &self.processing_time)?;
        put::<_, ByteArrayType>(&mut group, &self.timezone)?;
        put::<_, Int32Type>(&mut group, &self.timezone_offset)?;
        group.close()?;
        file.close().map(drop)
    }
}

fn put<W: Write + Send, T: DataType>(
    group: &mut SerializedRowGroupWriter<'_, W>,
    column: &Column<T::T>,
) -> Result<(), ParquetError> {
    let next = group.next_column()?;
    let mut writer = next.ok_or_else(|| ParquetError::General("too many columns".to_owned()))?;
    writer.typed::<T>().write_batch(&column.values, Some(&column.levels), None)?;
    writer.close()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        Encoding, HealthDataLoadGenerator, decode::Decoding, encode::Encoder, flatten::flatten,
    };
    use parquet::{
        file::reader::{FileReader, SerializedFileReader},
        record::RowAccessor,
    };

    #[test]
    fn what_is_written_reads_back() {
        let mut batch = RowBatch::default();
        for payload in HealthDataLoadGenerator::new(10, 5).generate_batch(50, 4) {
            let mut bytes = Vec::new();
            Encoder::new(Encoding::Json).encode(&payload, &mut bytes);
            let mut decoded = Decoding::Json.decode(&bytes).unwrap();
            // A hole, which must come back as one.
            decoded.samples[0].value = None;
            flatten(&decoded, None, 7).for_each(|row| batch.push(&row));
        }
        assert_eq!(batch.len(), 200);
        let file = std::env::temp_dir().join(format!("mallard-rows-{}", std::process::id()));
        batch.write(std::fs::File::create(&file).unwrap()).unwrap();
        let reader = SerializedFileReader::new(std::fs::File::open(&file).unwrap()).unwrap();
        std::fs::remove_file(&file).unwrap();
        assert_eq!(reader.metadata().file_metadata().num_rows(), 200);
        let rows: Vec<_> = reader.get_row_iter(None).unwrap().map(Result::unwrap).collect();
        assert!(rows[0].get_double(4).is_err());
        assert!(rows[1].get_double(4).is_ok());
        assert!(rows[199].get_string(2).unwrap().ends_with("-000000000031-0003"));
        assert_eq!(rows[199].get_string(15).unwrap(), "UTC");
    }
}
