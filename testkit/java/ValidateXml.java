import java.io.File;
import javax.xml.XMLConstants;
import javax.xml.transform.stream.StreamSource;
import javax.xml.validation.SchemaFactory;
import javax.xml.validation.Validator;
import org.xml.sax.ErrorHandler;
import org.xml.sax.SAXParseException;

/** Validates the second file against the schema in the first; prints every complaint; 1 if there are any. */
public class ValidateXml {
    private static int complaints = 0;

    public static void main(String[] args) throws Exception {
        SchemaFactory factory = SchemaFactory.newInstance(XMLConstants.W3C_XML_SCHEMA_NS_URI);
        factory.setFeature(XMLConstants.FEATURE_SECURE_PROCESSING, true);
        Validator validator = factory.newSchema(new File(args[0])).newValidator();
        validator.setErrorHandler(new ErrorHandler() {
            @Override public void warning(SAXParseException e) { complain(e); }
            @Override public void error(SAXParseException e) { complain(e); }
            @Override public void fatalError(SAXParseException e) throws SAXParseException { complain(e); throw e; }
        });
        try {
            validator.validate(new StreamSource(new File(args[1])));
        } catch (SAXParseException told) {
            // Said already by the handler.
        }
        System.exit(complaints == 0 ? 0 : 1);
    }

    private static void complain(SAXParseException e) {
        complaints++;
        System.out.println("line " + e.getLineNumber() + ", column " + e.getColumnNumber() + ": " + e.getMessage());
    }
}
